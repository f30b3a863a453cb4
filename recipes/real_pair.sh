# Sourced by the real.sh of the recipes: the pair, the machine, and the size. Not measured: no GPU was there.
#   GPUS=8 STUDENT=... TEACHER=... recipes/rationales/real.sh
# The same commands within some minutes on two cores, with a small chat model in a folder (see also the README of each recipe):
#   GPUS=0 TEACHER=hf:MODEL STUDENT=MODEL LIMIT=3 SAMPLES=2 TOKENS=256 STEPS=2 recipes/rationales/real.sh
TEACHER=${TEACHER:-vllm:Qwen/Qwen2.5-7B-Instruct}
STUDENT=${STUDENT:-Qwen/Qwen2.5-0.5B}
GPUS=${GPUS:-1}         # 1, 8, or 0 for the CPU
LIMIT=${LIMIT:-}        # the first questions of each source and suite; all without it
SAMPLES=${SAMPLES:-8}   # chains of a question, and samples of the majority
TOKENS=${TOKENS:-512}   # longest answer
STEPS=${STEPS:--1}      # optimizer steps of each student; -1 is all epochs
DATA_ROOT=${DATA_ROOT:-} # a folder with the files of the benchmarks; the Hub without it
case $GPUS in
    0) ACCELERATE=recipes/accelerate/cpu.yaml BATCH=4 ENGINE=(--concurrency 64) ;;
    1) ACCELERATE=recipes/accelerate/one_gpu.yaml BATCH=32 ENGINE=(--concurrency 256) ;;
    8) ACCELERATE=recipes/accelerate/eight_gpus.yaml BATCH=4 ENGINE=(--engine ray --workers 8 --concurrency 2048) ;;
    *) echo "GPUS is 0, 1 or 8, not $GPUS" >&2; exit 2 ;;
esac
FIRST=(${LIMIT:+--limit "$LIMIT"})
FILES=(${DATA_ROOT:+--data_root "$DATA_ROOT"})
TRAINING=(
    --model "$STUDENT" --gradient_checkpointing true --lr_scheduler_type cosine --warmup_steps 0.03 --max_steps "$STEPS"
    --per_device_train_batch_size "$BATCH" --logging_steps 10 --save_strategy epoch
)
step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
student() { local command=$1; shift; step accelerate launch --config_file "$ACCELERATE" -m "train.$command" "${TRAINING[@]}" "$@"; }
evaluate() { step train evaluate --teacher "$TEACHER" --base "hf:$STUDENT" --max_tokens "$TOKENS" "${FIRST[@]}" "${FILES[@]}" "$@"; }
