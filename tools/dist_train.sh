#!/usr/bin/env bash
# Train with several processes on one or more machines; without GPUs over gloo, on the CPU.
#
#   bash tools/dist_train.sh CONFIG PROCESSES_PER_NODE [arguments of tools/train.py]
#
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec bash "$here/dist_run.sh" "$here/train.py" "$@"
