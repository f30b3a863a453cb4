#!/usr/bin/env bash
# The whole way once: a teacher's rationales, filtered and published; two students; a table of what came across.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/quickstart
STORE=datasets/quickstart
BASE=$(python -c 'from datagen.microworld import WEIGHTS; print(WEIGHTS / "student")')
export EMERGENT_STORE=$STORE TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

step datagen rationales --config $HERE/rationales.yaml
step datagen publish runs/quickstart microworld
for arm in rationales answers; do
    step train sft --config $HERE/sft.yaml --model "$BASE" \
        --dataset microworld@1.0.0 --dataset_config $arm --output_dir students/quickstart/$arm
done
step train evaluate --suite microworld --split test --limit 200 --teacher micro --base "hf:$BASE" \
    --students rationales=hf:students/quickstart/rationales answers=hf:students/quickstart/answers:direct \
    --samples 4 --out reports/quickstart
