#!/usr/bin/env bash
# Context distillation with a real model: it answers without demonstrations what it could answer only with eight.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=recipes/real-small/common.sh
. recipes/real-small/common.sh
EPISODES=(--format input_output --prompt_style plain --queries "${QUERIES:-50}" --max_tokens 8)

step python $HERE/model.py $TEACHER
serve
# what the teacher can at 1 to 8 demonstrations; without any it is the base of the report
step datagen demonstrations $HERE/tasks.yaml --kind context-distillation --split test --shots 1,2,4,8 --episodes 4 \
    "${EPISODES[@]}" --teacher openai:smollm2 --out $RUNS/shots
for split in train test; do
    step datagen demonstrations $HERE/tasks.yaml --kind context-distillation --split $split --shots 8 \
        "${EPISODES[@]}" --teacher openai:smollm2 --out $RUNS/distil-$split
    step datagen publish $RUNS/distil-$split distil-$split
done
kill $SERVER
trap - EXIT
for seed in ${SEEDS:-0 1 2}; do
    step train sft --model $TEACHER --dataset distil-train@1.0.0 --dataset_config demonstrations --use_peft --lora_r 16 \
        --lora_target_modules all-linear --learning_rate 3e-4 --lr_scheduler_type cosine --num_train_epochs 3 \
        --per_device_train_batch_size 8 --logging_steps 10 --save_strategy no --seed $seed --output_dir $STUDENTS/distil-$seed
    students+=(seed-$seed=hf:$STUDENTS/distil-$seed:direct)
done
step train evaluate --suite episodes:distil-test@1.0.0 --teacher "hf:$TEACHER:direct:plain" --base "hf:$TEACHER" \
    --students "${students[@]}" --max_tokens 8 --out $REPORTS/in-context
