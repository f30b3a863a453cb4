#!/usr/bin/env bash
# Students of demonstrations: some learn to read them, some learn what they say; and what came across.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/in-context RUNS=runs/in-context STUDENTS=students/in-context
BASE=$(python -c 'from datagen.microworld import WEIGHTS; print(WEIGHTS / "student")')
export EMERGENT_STORE=datasets/in-context TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

# 1. Meta-ICT. Its base: a small model that has read words, single instructions and keys that come again, and no rule.
step python -m recipes.microworld.pretrain reader --tokens 2e6 --batch 24 --out $STUDENTS/reader
READER=$STUDENTS/reader/model
# Episodes of four families; few_labels, attribute and permutation are in none of them, nor is any rule that is measured.
step datagen demonstrations micro --config $HERE/meta.yaml --out $RUNS/meta
step datagen publish $RUNS/meta meta
for seed in ${SEEDS:-0 1 2}; do
    step train sft --config $HERE/meta-sft.yaml --model "$READER" --dataset meta@1.0.0 --seed "$seed" --output_dir "$STUDENTS/meta-$seed"
done
as() { for seed in ${SEEDS:-0 1 2}; do printf '%s-%s=hf:%s/%s-%s:direct ' "$1" "$seed" "$STUDENTS" "$1" "$seed"; done; }
# shellcheck disable=SC2046
step train evaluate --suite in-context/few_labels,attribute,permutation in-context/category,prefix,successor in-context/key \
    --limit 20 --teacher micro:direct --base "hf:$READER" \
    --students $(as meta) --out reports/in-context/meta

# 2. Context distillation: the teacher sees eight demonstrations, the student the rule's name alone.
for split in train test; do
    step datagen demonstrations micro --config $HERE/distil.yaml --split $split --out $RUNS/distil-$split
    step datagen publish $RUNS/distil-$split distil-$split
done
for seed in ${SEEDS:-0 1 2}; do
    step train sft --config $HERE/distil-sft.yaml --model "$BASE" --dataset distil-train@1.0.0 --seed "$seed" --output_dir "$STUDENTS/distil-$seed"
done
# shellcheck disable=SC2046
step train evaluate --suite episodes:distil-test@1.0.0 --teacher micro:direct --base "hf:$BASE" \
    --students $(as distil) --out reports/in-context/distil
PYTHONPATH=. python $HERE/table.py
