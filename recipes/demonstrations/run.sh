#!/usr/bin/env bash
# Episodes of the micro-world's rules, by strategy: what the teacher makes of the demonstrations that each one chooses.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"

for strategy in random bm25 knn votek dpp cone teacher; do
    datagen demonstrations micro --kind meta-ict --strategy $strategy --shots 1,2,4,8 --episodes 4 --queries 5 --balance \
        --tasks category,attribute,permutation,shift --out runs/demonstrations/$strategy
done
