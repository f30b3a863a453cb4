# Sourced by the scripts of this recipe: the real pair, its folders, and a vLLM server for the teacher.
PATH="${VENV:-.venv}/bin:$PATH"
HERE=recipes/real-small
TEACHER=models/smollm2
STUDENT=models/smollm2-24
RUNS=runs/real-small STUDENTS=students/real-small REPORTS=reports/real-small
# two programs share the cores: threads that wait must not spin
export EMERGENT_STORE=datasets/real-small OMP_WAIT_POLICY=PASSIVE TOKENIZERS_PARALLELISM=false

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

# The teacher behind vLLM's server, for `--teacher openai:smollm2`. It ends with the script.
serve() {
    local port=${PORT:-8765} log=$RUNS/server.log
    mkdir -p $RUNS
    VLLM_CPU_KVCACHE_SPACE=2 "${VENV:-.venv}-vllm/bin/python" -m vllm.entrypoints.openai.api_server --model $TEACHER \
        --served-model-name smollm2 --host 127.0.0.1 --port "$port" --max-model-len 2048 --enforce-eager >$log 2>&1 &
    SERVER=$!
    trap 'kill $SERVER' EXIT
    export OPENAI_BASE_URL=http://127.0.0.1:$port/v1 OPENAI_API_KEY=none
    echo "vLLM is starting (about two minutes); its log is $log"
    until curl --silent --fail "$OPENAI_BASE_URL/models" >/dev/null; do
        kill -0 $SERVER 2>/dev/null || { tail -5 $log; exit 1; }
        sleep 2
    done
}
