#!/usr/bin/env bash
# One student of three abilities with a real pair, from the datasets of the other recipes' real.sh. Not measured.
# Besides those of ../real_pair.sh: SUITES to measure on, and PROMPT_TOKENS of the longest row.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
[ "$STEPS" != -1 ] || STEPS=3000   # a mixture has no epochs
SUITES=${SUITES:-gsm8k strategyqa commonsenseqa} PROMPT_TOKENS=${PROMPT_TOKENS:-4096}

student sft --mixture datasets/rationales-real/gsm8k/1.0.0:rationales=0.5 datasets/instructions-real/instructions/1.0.0:instructions=0.3 \
    datasets/in-context-real/meta-train/1.0.0:demonstrations=0.2 --learning_rate 1e-5 --max_steps "$STEPS" --max_length "$PROMPT_TOKENS" \
    --output_dir students/hybrid-real
# shellcheck disable=SC2086
evaluate --suite $SUITES episodes:datasets/in-context-real/meta-test/1.0.0 --samples 0 --out reports/hybrid-real --students hybrid=hf:students/hybrid-real
