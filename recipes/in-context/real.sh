#!/usr/bin/env bash
# Episodes of SuperGLUE with a real pair: a student that reads demonstrations, and one that needs none. Not measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
export EMERGENT_STORE=datasets/in-context-real
RUNS=runs/in-context-real STUDENTS=students/in-context-real

step datagen demonstrations superglue --kind meta-ict --strategy bm25 --labels symbolic --shots 1,2,4,8,16 --queries 500 --prompt_tokens 4096 \
    --teacher "$TEACHER" "${ENGINE[@]}" --out $RUNS/meta
step datagen publish $RUNS/meta meta
student sft --dataset meta@1.0.0 --dataset_config demonstrations --demonstration_weight 1 --learning_rate 1e-5 --num_train_epochs 1 \
    --max_length 4096 --output_dir $STUDENTS/meta
for split in train test; do
    step datagen demonstrations superglue --kind context-distillation --strategy bm25 --shots 8 --queries 500 --prompt_tokens 4096 --split $split \
        --teacher "$TEACHER" "${ENGINE[@]}" --out $RUNS/distil-$split
    step datagen publish $RUNS/distil-$split distil-$split
done
student sft --dataset distil-train@1.0.0 --dataset_config demonstrations --learning_rate 1e-5 --num_train_epochs 3 --output_dir $STUDENTS/distil
step train evaluate --suite in-context --teacher "$TEACHER:direct" --base "hf:$STUDENT" --students meta=hf:$STUDENTS/meta:direct --out reports/in-context-real/meta
step train evaluate --suite episodes:distil-test@1.0.0 --teacher "$TEACHER:direct" --base "hf:$STUDENT" --students distil=hf:$STUDENTS/distil:direct \
    --out reports/in-context-real/distil
