# Sourced by the real.sh of the recipes: the pair, and how many GPUs. Not measured: no GPU was there.
#   GPUS=8 STUDENT=... TEACHER=... recipes/rationales/real.sh
TEACHER=${TEACHER:-vllm:Qwen/Qwen2.5-7B-Instruct}
STUDENT=${STUDENT:-Qwen/Qwen2.5-0.5B}
GPUS=${GPUS:-1}
case $GPUS in
    1) ACCELERATE=recipes/accelerate/one_gpu.yaml ENGINE=(--concurrency 256) ;;
    8) ACCELERATE=recipes/accelerate/eight_gpus.yaml ENGINE=(--engine ray --workers 8 --concurrency 2048) ;;
    *) echo "GPUS is 1 or 8, not $GPUS" >&2; exit 2 ;;
esac
TRAINING=(
    --model "$STUDENT" --gradient_checkpointing true --lr_scheduler_type cosine --warmup_steps 0.03
    --per_device_train_batch_size $((32 / GPUS)) --logging_steps 10 --save_strategy epoch
)
step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
student() { local command=$1; shift; step accelerate launch --config_file "$ACCELERATE" -m "train.$command" "${TRAINING[@]}" "$@"; }
