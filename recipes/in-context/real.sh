#!/usr/bin/env bash
# Episodes of SuperGLUE with a real pair: a student that reads demonstrations, and one that needs none. Not measured.
# Besides those of ../real_pair.sh: SOURCE (a mapping of tasks), HELD_OUT families to measure on, LABELS of the episodes, QUERIES of a task, and
# PROMPT_TOKENS of the longest prompt.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
# shellcheck source=recipes/real_pair.sh
. recipes/real_pair.sh
export EMERGENT_STORE=datasets/in-context-real
SOURCE=${SOURCE:-superglue} HELD_OUT=${HELD_OUT:-inference} LABELS=${LABELS:-symbolic} QUERIES=${QUERIES:-500} PROMPT_TOKENS=${PROMPT_TOKENS:-4096}
RUNS=runs/in-context-real STUDENTS=students/in-context-real

# Each student is measured on its own task: the queries of tasks that no episode has, and new queries of the tasks that were distilled.
episodes() {
    local name=$1 split=$2; shift 2
    step datagen demonstrations "$SOURCE" --split "$split" --strategy bm25 --queries "$QUERIES" --prompt_tokens "$PROMPT_TOKENS" "${FILES[@]}" \
        --teacher "$TEACHER" "${ENGINE[@]}" --out "$RUNS/$name-$split" "$@"
    step datagen publish "$RUNS/$name-$split" "$name-$split"
}
for split in train test; do
    episodes meta $split --kind meta-ict --held_out "$HELD_OUT" --labels "$LABELS" --shots 1,2,4,8,16
    episodes distil $split --kind context-distillation --shots 8
done
LEARN=(--dataset_config demonstrations --learning_rate 1e-5 --max_length "$PROMPT_TOKENS")
student sft --dataset meta-train@1.0.0 "${LEARN[@]}" --demonstration_weight 1 --num_train_epochs 1 --output_dir $STUDENTS/meta
student sft --dataset distil-train@1.0.0 "${LEARN[@]}" --num_train_epochs 3 --output_dir $STUDENTS/distil
for name in meta distil; do
    evaluate --suite "episodes:$name-test@1.0.0" --students "$name=hf:$STUDENTS/$name:direct" --out "reports/in-context-real/$name"
done
