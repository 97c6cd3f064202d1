#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: dist_run.sh SCRIPT CONFIG PROCESSES [arguments]
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: dist_train.sh CONFIG PROCESSES [arguments]" >&2; exit 2; }
script="$1" config="$2" processes="$3"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# The interpreter: PYTHON, else the one of the active environment, else the repository's own.
python="${PYTHON:-}"
if [ -z "$python" ]; then
    python=python
    if [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] && [ -x "$here/../.venv/bin/python" ]; then
        python="$here/../.venv/bin/python"
    fi
fi

nnodes="${NNODES:-1}"
if [ "$nnodes" = 1 ] && [ -z "${PORT:-}" ]; then
    # A free port, so that two runs on one machine do not meet.
    PORT="$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
fi
if [ -z "${OMP_NUM_THREADS:-}" ]; then
    # torchrun's default of one thread wastes cores on the CPU; all cores in each process are worse.
    cores="$("$python" -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')"
    threads=$((cores / processes))
    export OMP_NUM_THREADS=$((threads > 0 ? (threads < 8 ? threads : 8) : 1))
fi

exec "$python" -m torch.distributed.run \
    --nnodes="$nnodes" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$script" "$config" "${@:4}" --launcher pytorch
