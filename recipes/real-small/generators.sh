#!/usr/bin/env bash
# Every generator once with a real teacher: what is accepted, and what is rejected for which reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=recipes/real-small/common.sh
. recipes/real-small/common.sh
SEED_TASKS=datagen/instructions/self_instruct/seeds/en.jsonl
SERVED=(--teacher openai:smollm2)

step python $HERE/model.py $TEACHER
serve
step datagen respond $SEED_TASKS "${SERVED[@]}" --limit "${LIMIT:-60}" --max_tokens 400 --out $RUNS/respond
step datagen evol-instruct $RUNS/respond "${SERVED[@]}" --limit "${LIMIT:-60}" --rounds 1 --max_tokens 400 --out $RUNS/evolved
step datagen self-instruct "${SERVED[@]}" --target "${TARGET:-20}" --patience 10 --out $RUNS/self-instruct
step datagen judge $RUNS/respond "${SERVED[@]}" --limit "${LIMIT:-60}" --out $RUNS/judged
step datagen rationales microworld --split test "${SERVED[@]}" --limit "${LIMIT:-60}" --samples 4 --max_tokens 300 --out $RUNS/rationales
kill $SERVER
trap - EXIT
# an endpoint hides the chat template, so Magpie starts vLLM in its own process
VLLM_CPU_KVCACHE_SPACE=2 step "${VENV:-.venv}-vllm/bin/python" -m datagen.cli magpie --target "${TARGET:-20}" --max_tokens 300 \
    --teacher "vllm:$TEACHER?max_model_len=2048&enforce_eager=true" --out $RUNS/magpie
step python $HERE/rejections.py $RUNS
