# SPDX-License-Identifier: GPL-3.0-or-later
"""The stub itself: a shell script with the engine behind it, in one file.

One file, because that is all that Longhorn copies to its hosts. A script, because it runs on every processor, and
because the image and everything that starts an engine has a shell and coreutils, and nothing else can be counted on.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import typing as t
from dataclasses import dataclass

from longhorn_qa_lab.stub.engine import Engine
from longhorn_qa_lab.stub.subcommands import SUBCOMMANDS, quoted

_MARK: t.Final = "# A stub of Longhorn's engine, made by longhorn-qa stub."

# Names begin with stub_ so that none is in the environment, which reaches the engine as it is. Nothing reads standard
# input. Beside the stub is where all containers of a node see the same file, and its name is one that Longhorn removes
# together with the stub. Files are made under another name and renamed, so none is ever written while it runs.
_SCRIPT: t.Final = r"""#!/bin/sh
@MARK@
# It refuses: @REFUSED@. The engine, which does everything else, is the last @SIZE@ bytes of this file.

stub_group='' stub_command='' stub_is_value='' stub_client_only=''
for stub_word in "$@"; do
    if [ -n "$stub_is_value" ]; then
        stub_is_value=''
        continue
    fi
    case $stub_word in
        --url | -url | --volume-name | -volume-name | --engine-instance-name | -engine-instance-name)
            stub_is_value=yes ;;
        --client-only | -client-only) stub_client_only=yes ;;
        -*) ;;
        *)
            if [ -n "$stub_group" ]; then
                stub_command=$stub_word
                break
            fi
            stub_group=$stub_word ;;
    esac
done

stub_fail() {
    printf 'time="%s" level=fatal msg=%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2" >&2
    exit "$1"
}

case $stub_group/$stub_command in
@REFUSALS@
esac

if [ "$stub_group/$stub_client_only" = version/yes ]; then
    printf %s @ANSWER@
    exit 0
fi

stub_unpack_in() {
    stub_engine=$1/longhorn-@NAME@
    [ -x "$stub_engine" ] && [ "$(wc -c <"$stub_engine")" -eq @SIZE@ ] && return 0
    stub_new=$(mktemp "$stub_engine.XXXXXX") || return 1
    tail -c @SIZE@ "$0" >"$stub_new" && [ "$(sha256sum <"$stub_new")" = '@SUM@  -' ] &&
        chmod 0755 "$stub_new" && [ -x "$stub_new" ] && mv -f "$stub_new" "$stub_engine" && return 0
    rm -f "$stub_new"
    return 1
}

case $0 in
    */*) stub_here=${0%/*} ;;
    *) stub_here=. ;;
esac
if stub_unpack_in "$stub_here" 2>/dev/null; then exec "$stub_engine" "$@"; fi

# A folder of our own, since others may write to the one it is in.
stub_there=${TMPDIR:-/tmp}/longhorn-stub-$(id -u)
mkdir -m 0700 "$stub_there" 2>/dev/null
if [ -O "$stub_there" ] && [ ! -h "$stub_there" ] && stub_unpack_in "$stub_there" 2>/dev/null; then
    exec "$stub_engine" "$@"
fi
stub_why="no room in $stub_here and $stub_there for @SIZE@ bytes that may be executed, or $0 is damaged"
stub_fail 126 "\"stub: the engine was not started: $stub_why\""
"""


@dataclass(frozen=True)
class Stub:
    """``answer`` and ``commit`` as the engine's own, and different from them in the commit."""

    content: bytes
    answer: str
    commit: str
    refusals: t.Mapping[str, str]


def is_stub(content: bytes) -> bool:
    return _MARK.encode() in content[:200]


def make(engine: Engine, refusals: t.Mapping[str, str]) -> Stub:
    """The same input makes the same bytes. The engine inside says the stub's commit too.

    Longhorn compares the commit of the file with that of the process that runs, and takes two of the same commit for
    the same engine: a volume that is changed from one to the other while attached would lose its replicas.
    """
    commit = _commit(engine, refusals)
    payload = engine.content.replace(engine.commit.encode(), commit.encode())
    answer = engine.answer.replace(engine.commit, commit)
    text = _text(payload, answer=answer, refusals=refusals)
    return Stub(content=text.encode() + payload, answer=answer, commit=commit, refusals=refusals)


def _commit(engine: Engine, refusals: t.Mapping[str, str]) -> str:
    """As long as the engine's, for it takes its place; another for other refusals."""
    seed = hashlib.sha256(engine.content)
    for name, words in refusals.items():
        seed.update(f"\0{name}\0{words}".encode())
    return seed.hexdigest()[: len(engine.commit)]


def _text(payload: bytes, *, answer: str, refusals: t.Mapping[str, str]) -> str:
    digest = hashlib.sha256(payload).hexdigest()
    values = {
        "MARK": _MARK,
        "REFUSED": ", ".join(refusals),
        "REFUSALS": "\n".join(_refusal(name, words) for name, words in refusals.items()),
        "SIZE": str(len(payload)),
        "SUM": digest,
        "NAME": digest[:16],
        "ANSWER": shlex.quote(answer),
    }
    return re.sub(r"@([A-Z]+)@", lambda place: values[place[1]], _SCRIPT)


def _refusal(name: str, words: str) -> str:
    return f"    {' | '.join(SUBCOMMANDS[name].calls)}) stub_fail 1 {shlex.quote(quoted(words))} ;;"
