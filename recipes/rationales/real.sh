#!/usr/bin/env bash
# GSM8K with a real pair: chains, the teacher's probabilities, four students, the report. Not measured.
# Besides those of ../real_pair.sh: SUITE and SPLIT to learn from, SUITES to measure on, KEEP_BY (none for a weak teacher).
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
export EMERGENT_STORE=datasets/rationales-real
SUITE=${SUITE:-gsm8k} SUITES=${SUITES:-gsm8k svamp} KEEP_BY=${KEEP_BY:-auto}
RUNS=runs/rationales-real STUDENTS=students/rationales-real

step datagen rationales "$SUITE" --split "${SPLIT:-train}" --teacher "$TEACHER" "${ENGINE[@]}" "${FIRST[@]}" "${FILES[@]}" --samples "$SAMPLES" \
    --max_tokens "$TOKENS" --temperature 0.8 --keep_by "$KEEP_BY" --keep diverse --out $RUNS/chains
step datagen topk $RUNS/chains --teacher_topk 64 --out $RUNS/topk
step datagen publish $RUNS/topk gsm8k
student sft --dataset gsm8k@1.0.0 --dataset_config answers --learning_rate 1e-5 --num_train_epochs 3 --output_dir $STUDENTS/answers
student sft --dataset gsm8k@1.0.0 --dataset_config rationales --learning_rate 1e-5 --num_train_epochs 3 --output_dir $STUDENTS/sft
student kd --dataset gsm8k@1.0.0 --dataset_config rationales --learning_rate 1e-5 --num_train_epochs 3 --output_dir $STUDENTS/kd
student gkd --model $STUDENTS/sft --dataset gsm8k@1.0.0 --dataset_config rationales --teacher_model_name_or_path "${TEACHER#*:}" \
    --lmbda 0.5 --beta 0.5 --max_new_tokens "$TOKENS" --learning_rate 5e-6 --num_train_epochs 1 --output_dir $STUDENTS/gkd
# shellcheck disable=SC2086
evaluate --suite $SUITES --samples "$SAMPLES" --out reports/rationales-real --students \
    answers=hf:$STUDENTS/answers:direct sft=hf:$STUDENTS/sft kd=hf:$STUDENTS/kd gkd=hf:$STUDENTS/gkd
