#!/usr/bin/env bash
# Two students of demonstrations: one learns to read them, one learns what they say; and what came across.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/in-context RUNS=runs/in-context STUDENTS=students/in-context
BASE=$(python -c 'from datagen.microworld import WEIGHTS; print(WEIGHTS / "student")')
export EMERGENT_STORE=datasets/in-context TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

# 1. Meta-ICT: episodes of five families; attribute, key and few_labels are in none of them, nor is any rule that is measured.
step datagen demonstrations micro --config $HERE/meta.yaml --out $RUNS/meta
step datagen publish $RUNS/meta meta
step train sft --config $HERE/meta-sft.yaml --model "$BASE" --dataset meta@1.0.0 --output_dir $STUDENTS/meta
step train evaluate --suite in-context/attribute,few_labels,key in-context/category,prefix,permutation,successor --limit 20 --teacher micro:direct --base "hf:$BASE" \
    --students meta=hf:$STUDENTS/meta:direct --out reports/in-context/meta

# 2. Context distillation: the teacher sees eight demonstrations, the student the rule's name alone.
for split in train test; do
    step datagen demonstrations micro --config $HERE/distil.yaml --split $split --out $RUNS/distil-$split
    step datagen publish $RUNS/distil-$split distil-$split
done
step train sft --config $HERE/distil-sft.yaml --model "$BASE" --dataset distil-train@1.0.0 --output_dir $STUDENTS/distil
step train evaluate --suite episodes:distil-test@1.0.0 --teacher micro:direct --base "hf:$BASE" \
    --students distil=hf:$STUDENTS/distil:direct --out reports/in-context/distil
