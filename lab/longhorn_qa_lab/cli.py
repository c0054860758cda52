# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``longhorn-qa``: it sets up, calls ansible-playbook and reads results; it judges nothing."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from longhorn_qa_lab import verdicts
from longhorn_qa_lab.commands import parser
from longhorn_qa_lab.errors import LabError

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Errors that a person can act on are one message; a defect shows its traceback too, and is never a verdict."""
    given = parser.build().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return int(given.run(given))
    except LabError as error:
        return _end(given, str(error), int(given.status_on_error))
    except KeyboardInterrupt:
        return _end(given, "interrupted; everything that was started has been stopped", _INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has gone
        return int(given.status_on_error)
    except Exception as error:  # noqa: BLE001 -- Python's own status, 1, would be read as a failed run
        if isinstance(error, OSError) and error.filename:
            return _end(given, f"{error.filename}: {error.strerror}", int(given.status_on_error))
        traceback.print_exc()
        return _end(given, "this is a defect of longhorn-qa: please report what is above", int(given.status_on_error))


def _end(given: argparse.Namespace, message: str, status: int) -> int:
    print(f"longhorn-qa: {message}", file=sys.stderr, flush=True)
    if given.judges:
        verdicts.announce(verdicts.BROKEN)
    return status


def _interrupt(*_: object) -> None:
    """Ended by a signal means ended tidily, as by Ctrl-C."""
    raise KeyboardInterrupt
