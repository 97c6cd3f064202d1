#!/usr/bin/env bash
# Train under slurm: bash tools/slurm_train.sh PARTITION JOB CONFIG [arguments of tools/train.py]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: slurm_train.sh PARTITION JOB CONFIG [arguments]" >&2; exit 2; }
gpus="${GPUS:-8}" per_node="${GPUS_PER_NODE:-8}"
[ "$per_node" -le "$gpus" ] || per_node="$gpus"
# shellcheck disable=SC2086  # SRUN_ARGS is a list
exec srun --partition="$1" --job-name="$2" --gres="gpu:$per_node" \
    --ntasks="$gpus" --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "${BASH_SOURCE[0]}")/train.py" "${@:3}" --launcher slurm
