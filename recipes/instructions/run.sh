#!/usr/bin/env bash
# Instructions bootstrapped from 43 seeds, evolved four rounds, published; two students; a table of what came across.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/instructions RUNS=runs/instructions
BASE=$(python -c 'from datagen.microworld import WEIGHTS; print(WEIGHTS / "student")')
export EMERGENT_STORE=datasets/instructions TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

step datagen self-instruct --config $HERE/self_instruct.yaml --out $RUNS/self-instruct
step datagen evol-instruct $RUNS/self-instruct --config $HERE/evol_instruct.yaml --out $RUNS/evolved
step datagen respond datagen/instructions/self_instruct/seeds/micro.jsonl --temperature 0 --max-tokens 60 --out $RUNS/seeds
for arm in seeds self-instruct evolved; do
    step datagen publish $RUNS/$arm $arm
    step train sft --config $HERE/sft.yaml --model "$BASE" \
        --dataset "$arm@1.0.0" --dataset_config instructions --output_dir students/instructions/$arm
done
step train evaluate --suite microworld/instructions-{1,2,3} --limit 300 --samples 0 --max_tokens 60 \
    --teacher micro:direct --base "hf:$BASE" --out reports/instructions --students \
    seeds=hf:students/instructions/seeds:direct \
    self-instruct=hf:students/instructions/self-instruct:direct \
    evolved=hf:students/instructions/evolved:direct
