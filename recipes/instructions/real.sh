#!/usr/bin/env bash
# Instructions with a real pair: bootstrapped from the seeds, evolved, cleaned; a student; its answers to new instructions judged by the teacher.
# Not measured. Besides those of ../real_pair.sh: TARGET instructions to write, HELD_OUT to measure on, ROUNDS of evolution, AGAINST which
# benchmarks to clean (none if empty). A small teacher writes no usable instructions: INSTRUCTIONS names a JSONL file to take them from.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
export EMERGENT_STORE=datasets/instructions-real
TARGET=${TARGET:-10000} HELD_OUT=${HELD_OUT:-200} ROUNDS=${ROUNDS:-4} AGAINST=${AGAINST-gsm8k,bbh} INSTRUCTIONS=${INSTRUCTIONS:-}
RUNS=runs/instructions-real STUDENT_DIR=students/instructions-real/sft
ASK=(--teacher "$TEACHER" "${ENGINE[@]}")

# Instructions to learn from, and others to measure on: --pool rejects what is similar to the first ones.
if [ -n "$INSTRUCTIONS" ]; then
    TASKS=$RUNS/tasks.jsonl NEW=$RUNS/new.jsonl
    mkdir -p $RUNS
    head -n "$TARGET" "$INSTRUCTIONS" > $TASKS
    tail -n +$((TARGET + 1)) "$INSTRUCTIONS" | head -n "$HELD_OUT" > $NEW
else
    TASKS=$RUNS/self-instruct NEW=$RUNS/new
    step datagen self-instruct "${ASK[@]}" --target "$TARGET" --out $TASKS
    step datagen self-instruct "${ASK[@]}" --target "$HELD_OUT" --pool $TASKS --seed 1 --out $NEW
fi
step datagen evol-instruct $TASKS "${ASK[@]}" --rounds "$ROUNDS" --max_tokens $((4 * TOKENS)) --out $RUNS/evolved
step datagen filter $RUNS/evolved --near_duplicates 0.8 ${AGAINST:+--against "$AGAINST"} "${FILES[@]}" --out $RUNS/clean
step datagen publish $RUNS/clean instructions
student sft --dataset instructions@1.0.0 --dataset_config instructions --learning_rate 2e-5 --num_train_epochs 3 --output_dir $STUDENT_DIR

# The same new instructions for all. The teacher judges all answers; the last line of each judgement has the mean score.
for model in "base hf:$STUDENT" "student hf:$STUDENT_DIR" "teacher $TEACHER"; do
    read -r name spec <<< "$model"
    # a weak model may give no whole answer, and a weak judge no score: that is a result, and the other models go on
    if ! { step datagen respond $NEW --teacher "$spec" "${FIRST[@]}" --temperature 0 --max_tokens "$TOKENS" --out "$RUNS/answers-$name" &&
        step datagen judge "$RUNS/answers-$name" "${ASK[@]}" --rubric helpfulness --out "$RUNS/judged-$name"; }; then
        echo "$name: no score, see the line above"
    fi
done
# Has it forgotten how to reason?
# shellcheck disable=SC2086
[ -z "${SUITES-strategyqa commonsenseqa gsm8k}" ] || evaluate --suite ${SUITES-strategyqa commonsenseqa gsm8k} --samples 0 --out reports/instructions-real \
    --students sft=hf:$STUDENT_DIR
