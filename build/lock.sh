#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Resolves every Python package anew and writes the constraint files: one universal file, hashes, no addresses.
set -eu
cd "$(dirname "$0")/.."
uv="${UV:-.venv/bin/uv}"
export UV_CUSTOM_COMPILE_COMMAND="make lock"

compile() {
    python=$1
    shift
    "$uv" pip compile --quiet --upgrade --universal --python-version "$python" --generate-hashes --no-emit-index-url \
        --no-annotate "$@"
}
compile 3.11 build/bootstrap.in -o constraints/bootstrap.txt
compile 3.11 --all-extras pyproject.toml -o constraints/python.txt
printf 'ansible==%s\n' "${ANSIBLE:-14.5.0}" | compile 3.12 --no-deps - -o constraints/kubernetes-core.txt

if grep -n '://' constraints/*.txt; then
    echo "lock: an address got into the constraint files; see the lines above" >&2
    exit 1
fi
