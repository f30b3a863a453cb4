#!/usr/bin/env bash
# The datasets of the comparison: the majority's chains of 500 questions, 8 diverse of 24, one, all, the teacher's
# probabilities, and the right chains of 24,000 questions.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/rationales RUNS=runs/rationales
export EMERGENT_STORE=datasets/rationales TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

step datagen rationales --config $HERE/chains.yaml --out $RUNS/chains
step datagen rationales --config $HERE/chains.yaml --samples 24 --keep diverse --diverse 8 --out $RUNS/diverse
step datagen rationales --config $HERE/chains.yaml --samples 1 --out $RUNS/one
step datagen rationales --config $HERE/chains.yaml --keep_by none --out $RUNS/unfiltered
step datagen topk $RUNS/chains --teacher-topk 64 --out $RUNS/topk
step datagen rationales --config $HERE/chains.yaml --limit 24000 --samples 1 --keep_by gold --out $RUNS/many
for name in chains diverse one unfiltered topk many; do
    step datagen publish $RUNS/$name $name
done
