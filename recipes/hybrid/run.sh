#!/usr/bin/env bash
# One student of three abilities against students of one each, on the same number of rows; every one measured on all.
# Needs the datasets of recipes/rationales, recipes/instructions and recipes/in-context.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/hybrid
BASE=$(python -c 'from datagen.microworld import WEIGHTS; print(WEIGHTS / "student")')
export TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

R=datasets/rationales/chains/1.0.0:rationales
I=datasets/instructions/self-instruct/1.0.0:instructions
D=datasets/in-context/meta/1.0.0:demonstrations
train_arm() {  # NAME SEED MIXTURE...
    local out=students/hybrid/$1-$2 seed=$2
    shift 2
    [ -f "$out/model.safetensors" ] || step train sft --config $HERE/sft.yaml --model "$BASE" --seed "$seed" --mixture "$@" --output_dir "$out"
}
students=()
for seed in ${SEEDS:-0 1 2 3 4}; do
    train_arm rationales "$seed" "$R=1"
    train_arm instructions "$seed" "$I=1"
    train_arm in-context "$seed" "$D=1"
    train_arm hybrid "$seed" "$R=0.5" "$I=0.2" "$D=0.3"
    for arm in rationales instructions in-context hybrid; do students+=("$arm-$seed"); done
done
as() { for name in "${students[@]}"; do printf '%s=hf:students/hybrid/%s%s ' "$name" "$name" "$1"; done; }
# shellcheck disable=SC2046
step train evaluate --suite microworld --limit 200 --samples 0 --teacher micro --base "hf:$BASE" \
    --out reports/hybrid/rationales --students $(as "")
# shellcheck disable=SC2046
step train evaluate --suite microworld/instructions-{1,2} --limit 200 --samples 0 --max_tokens 60 --teacher micro:direct \
    --base "hf:$BASE" --out reports/hybrid/instructions --students $(as :direct)
# shellcheck disable=SC2046
step train evaluate --suite microworld/in-context-{1,4,16} --limit 200 --samples 0 --max_tokens 20 --teacher micro:direct \
    --base "hf:$BASE" --out reports/hybrid/in-context --students $(as :direct)
python -m recipes.hybrid.table
