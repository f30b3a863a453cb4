#!/usr/bin/env bash
# One student of three abilities with a real pair, from the datasets of the other recipes' real.sh. Not measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh

student sft --mixture datasets/rationales-real/gsm8k/1.0.0:rationales=0.5 datasets/instructions-real/instructions/1.0.0:instructions=0.3 \
    datasets/in-context-real/meta/1.0.0:demonstrations=0.2 --learning_rate 1e-5 --max_steps 3000 --max_length 4096 --output_dir students/hybrid-real
step train evaluate --suite gsm8k strategyqa commonsenseqa in-context --samples 0 --max_tokens 512 --teacher "$TEACHER" --base "hf:$STUDENT" \
    --out reports/hybrid-real --students hybrid=hf:students/hybrid-real
