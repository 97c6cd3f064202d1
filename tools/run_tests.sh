#!/usr/bin/env bash
# Runs the tests, in an environment that tools/setup_env.sh makes or finds.
#
#   bash tools/run_tests.sh [--slow] [pytest arguments]
#
# Packages of extras that tests use and the quickstart does not are added to the environment, unless
# it is that of OVMLV_PYTHON; without them, these tests are skipped, and say so. Ray, a download of
# about 75 MB, is added with --slow only, since all of its tests are slow.
#
# --slow adds the tests marked "slow". Without OVMLV_TEST_JOBS, two processes are used where there
# are two cores: torch is held to one thread each, which is faster than one process of two threads.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh

add_extra() {  # NAME MODULE
    if [ -z "${OVMLV_PYTHON:-}" ] && ! ovmlv_has_module "$2"; then
        "$PYTHON" -m pip --disable-pip-version-check install --no-input -q \
            -r "requirements/$1.txt" ||
            echo "[tests] requirements/$1.txt could not be installed; its tests are skipped" >&2
    fi
}
add_extra index lancedb
add_extra metrics prometheus_client

slow=("-m" "not slow")
arguments=()
for argument in "$@"; do
    if [ "$argument" = --slow ]; then
        slow=()
        add_extra ray ray
    else
        arguments+=("$argument")
    fi
done

cores="$("$PYTHON" -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')"
jobs="${OVMLV_TEST_JOBS:-$((cores < 4 ? cores : 4))}"
parallel=()
[ "$jobs" -gt 1 ] && parallel=("-n" "$jobs" "--dist" "loadfile")

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
export HF_HUB_OFFLINE="${HF_HUB_OFFLINE:-1}" TRANSFORMERS_OFFLINE="${TRANSFORMERS_OFFLINE:-1}"
# A test that writes "-m" of its own wins: pytest takes the last one.
exec "$PYTHON" -m pytest --durations=15 ${parallel[@]+"${parallel[@]}"} ${slow[@]+"${slow[@]}"} \
    ${arguments[@]+"${arguments[@]}"}
