#!/usr/bin/env bash
# The comparison of the README: datasets, 5 students an arm, and the table. About three hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
BASE=$(python -c 'from datagen.microworld import WEIGHTS; print(WEIGHTS / "student")')
export TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1

recipes/rationales/data.sh
python -m recipes.rationales.compare train --part 0/2 &
python -m recipes.rationales.compare train --part 1/2
wait
# shellcheck disable=SC2046
train evaluate --suite microworld --split test --limit 200 --samples 0 --teacher micro --base "hf:$BASE" \
    --out reports/rationales --students $(python -m recipes.rationales.compare names)
python -m recipes.rationales.compare table
