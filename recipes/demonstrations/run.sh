#!/usr/bin/env bash
# What the teacher makes of the demonstrations that each strategy chooses, by number of demonstrations and demonstration
# seed: the tables of the README.
set -euo pipefail
cd "$(dirname "$0")/../.."
"${VENV:-.venv}/bin/python" -m recipes.demonstrations.compare runs/demonstrations
