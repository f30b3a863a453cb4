#!/usr/bin/env bash
# A student that lost six of thirty layers learns its teacher's answers: from the texts, and from stored probabilities.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=recipes/real-small/common.sh
. recipes/real-small/common.sh
SEED_TASKS=datagen/instructions/self_instruct/seeds/en.jsonl
TRAINING=(--model $STUDENT --dataset train@1.0.0 --dataset_config instructions --learning_rate 1e-4 --lr_scheduler_type cosine
    --num_train_epochs "${EPOCHS:-1}" --per_device_train_batch_size 8 --max_length 512 --logging_steps 5 --save_strategy no)

step python $HERE/model.py $TEACHER
step python $HERE/model.py $STUDENT --layers 24
serve
head -150 $SEED_TASKS >$RUNS/train.jsonl
tail -46 $SEED_TASKS >$RUNS/test.jsonl
for split in train test; do
    step datagen respond $RUNS/$split.jsonl --limit "${LIMIT:-150}" --teacher openai:smollm2 --max_tokens 300 --out $RUNS/answers-$split
done
kill $SERVER
trap - EXIT
step datagen topk $RUNS/answers-train --teacher hf:$TEACHER --teacher_topk 64 --out $RUNS/topk
step datagen publish $RUNS/topk train
step datagen publish $RUNS/answers-test test
step train sft "${TRAINING[@]}" --output_dir $STUDENTS/sft
step train kd "${TRAINING[@]}" --output_dir $STUDENTS/kd
for model in $TEACHER $STUDENT $STUDENTS/sft $STUDENTS/kd; do
    step train probe $model test@1.0.0 --max_tokens 1 --out $RUNS/probe-"$(basename $model)"
done
