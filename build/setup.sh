#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes .venv and collections/ in this checkout, from the pinned constraint files. Safe to run as often as you like:
# when nothing it reads has changed, it does nothing.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/.longhorn-qa-setup

say() { echo "setup: $*" >&2; }

# --- what has to be there already -----------------------------------------------------------------------------------
good_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        good_python "$PYTHON" && echo "$PYTHON"
        return 0
    fi
    # An existing .venv stays what it is, whichever Python comes first in the search path today.
    for candidate in "$venv/bin/python" python3 python3.13 python3.12 python3.11 python; do
        if good_python "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
}

missing=0
lack() { say "$*"; missing=1; }

python=$(find_python)
if [ -z "$python" ]; then
    if [ -n "${PYTHON:-}" ]; then
        lack "PYTHON=$PYTHON is not a working Python 3.11 or newer; name another one, e.g. make setup PYTHON=python3.13."
    else
        lack "Python 3.11 or newer was not found; install python3, or name one: make setup PYTHON=/path/to/python3."
    fi
else
    for module in venv ensurepip; do
        "$python" -c "import $module" >/dev/null 2>&1 ||
            lack "$python has no module $module; install it (Debian and Ubuntu: the package python3-venv)."
    done
fi
for program in make tar; do
    command -v "$program" >/dev/null 2>&1 || lack "$program was not found; install it with your system's package manager."
done
[ -w . ] || lack "this folder cannot be written to by $(id -un); change its owner or use another checkout."
[ "$missing" = 0 ] || exit 1

# --- nothing to do? ---------------------------------------------------------------------------------------------------
wanted=$(
    {
        "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
        pwd
        cat pyproject.toml requirements.yml constraints/*.txt build/setup.sh build/kubernetes_core.py
    } | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
)
complete() {
    [ -x "$venv/bin/longhorn-qa" ] && [ -f "$venv/bin/activate" ] &&
        [ -f collections/ansible_collections/kubernetes/core/MANIFEST.json ] &&
        [ -f collections/ansible_collections/longhorn/qa/galaxy.yml ]
}
if complete && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

# --- Python packages --------------------------------------------------------------------------------------------------
log=.state/setup.log
mkdir -p .state
run() {
    # Quiet while all is well; the whole story when it is not.
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        say "this failed: $*"
        exit 1
    fi
}
version_of() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null || echo none; }

if [ "$(version_of "$venv/bin/python")" != "$(version_of "$python")" ]; then
    say "making $venv with $("$python" --version)"
    run "$python" -m venv --clear "$venv"
fi
say "installing Python packages into $venv (a minute, the first time)"
# Without bytecode every module task pays for compiling its imports again.
unset PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
run "$venv/bin/python" -m pip install --quiet --require-hashes -r constraints/bootstrap.txt
uv_install() { "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-build-isolation "$@"; }
pip_install() { "$venv/bin/python" -m pip install --quiet --no-build-isolation "$@"; }
# uv is ten times faster, but does not read pip's own configuration: where that names the index, pip does it.
if uv_install --require-hashes -r constraints/python.txt >"$log" 2>&1; then
    run uv_install --no-deps -e .
else
    say "uv could not do it, trying with pip"
    run pip_install --require-hashes -r constraints/python.txt
    run pip_install --no-deps -e .
fi

# --- collections ------------------------------------------------------------------------------------------------------
own=collections/ansible_collections/longhorn
mkdir -p "$own"
[ -L "$own/qa" ] || ln -s ../../.. "$own/qa"
"$venv/bin/python" build/kubernetes_core.py

complete || { say "something is still missing after the installation; see $log"; exit 1; }
echo "$wanted" >"$stamp"
say "done"
