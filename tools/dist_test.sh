#!/usr/bin/env bash
# Test with several processes on one or more machines; without GPUs over gloo, on the CPU.
#
#   bash tools/dist_test.sh CONFIG CHECKPOINT PROCESSES_PER_NODE [arguments of tools/test.py]
#
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [arguments]" >&2; exit 2; }
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
config="$1" checkpoint="$2" processes="$3"
exec bash "$here/dist_run.sh" "$here/test.py" "$config" "$processes" "$checkpoint" "${@:4}"
