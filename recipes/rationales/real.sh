#!/usr/bin/env bash
# GSM8K with a real pair: chains, the teacher's probabilities, three students, the report. Not measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
export EMERGENT_STORE=datasets/rationales-real

step datagen rationales gsm8k --split train --teacher "$TEACHER" "${ENGINE[@]}" --samples 8 --temperature 0.8 --keep diverse --out runs/rationales-real/chains
step datagen topk runs/rationales-real/chains --teacher_topk 64 --out runs/rationales-real/topk
step datagen publish runs/rationales-real/topk gsm8k
student sft --dataset gsm8k@1.0.0 --dataset_config answers --learning_rate 1e-5 --num_train_epochs 3 --output_dir students/rationales-real/answers
student sft --dataset gsm8k@1.0.0 --dataset_config rationales --learning_rate 1e-5 --num_train_epochs 3 --output_dir students/rationales-real/sft
student kd --dataset gsm8k@1.0.0 --dataset_config rationales --learning_rate 1e-5 --num_train_epochs 3 --output_dir students/rationales-real/kd
student gkd --model students/rationales-real/sft --dataset gsm8k@1.0.0 --dataset_config rationales --teacher_model_name_or_path "${TEACHER#vllm:}" \
    --lmbda 0.5 --beta 0.5 --max_new_tokens 512 --learning_rate 5e-6 --num_train_epochs 1 --output_dir students/rationales-real/gkd
step train evaluate --suite gsm8k svamp --teacher "$TEACHER" --base "hf:$STUDENT" --samples 8 --max_tokens 512 --out reports/rationales-real --students \
    answers=hf:students/rationales-real/answers:direct sft=hf:students/rationales-real/sft \
    kd=hf:students/rationales-real/kd gkd=hf:students/rationales-real/gkd
