#!/usr/bin/env bash
# Instructions with a real pair: bootstrapped from 196 seeds, evolved, cleaned, judged; a student. Not measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
export EMERGENT_STORE=datasets/instructions-real
RUNS=runs/instructions-real

step datagen self-instruct --teacher "$TEACHER" "${ENGINE[@]}" --target 10000 --out $RUNS/self-instruct
step datagen evol-instruct $RUNS/self-instruct --teacher "$TEACHER" "${ENGINE[@]}" --rounds 4 --out $RUNS/evolved
step datagen filter $RUNS/evolved --near_duplicates 0.8 --against gsm8k,bbh --out $RUNS/clean
step datagen publish $RUNS/clean instructions
student sft --dataset instructions@1.0.0 --dataset_config instructions --learning_rate 2e-5 --num_train_epochs 3 --output_dir students/instructions-real/sft
step train evaluate --suite strategyqa commonsenseqa gsm8k --samples 0 --max_tokens 512 --teacher "$TEACHER" --base "hf:$STUDENT" \
    --out reports/instructions-real --students sft=hf:students/instructions-real/sft
