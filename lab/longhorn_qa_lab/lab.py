# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a lab: up, down, and what is known in between.

One lock per name makes starts and stops wait for nobody: whoever comes second is told so. What a killed predecessor
left is found by description and by mark, and ended before anything else happens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab import bringup, description, paths, ports, processes
from longhorn_qa_lab.binaries import sources, store
from longhorn_qa_lab.bringup import BringUp, Options
from longhorn_qa_lab.description import Description
from longhorn_qa_lab.errors import LabError, PortTaken
from longhorn_qa_lab.keeper_client import KeeperClient
from longhorn_qa_lab.paths import LabPaths
from longhorn_qa_lab.progress import Progress

_SPACE_NEEDED = 256 << 20
_TRIES = 3
_KEEPER_GRACE = 15.0


@dataclass(frozen=True)
class Running:
    """A lab that this process owns until it lets go."""

    description: Description
    keeper: KeeperClient

    @property
    def kubeconfig(self) -> Path:
        return Path(self.description.kubeconfig)


def up(options: Options, progress: Progress) -> Description:
    """Starts a lab that outlives this process."""
    with _locked(options.name) as place:
        running = _start(place, options, progress=progress, owner=None)
        running.keeper.detach()
    return running.description


@contextlib.contextmanager
def running(options: Options, progress: Progress, *, keep: bool = False) -> Iterator[Running]:
    """A lab that ends with the block, and also when this process is killed inside it.

    With `keep` it stays after a block that came to its end or failed, because what failed is to be looked at.
    """
    with _locked(options.name) as place:
        started = _start(place, options, progress=progress, owner=os.getpid())
    stays = False
    try:
        yield started
        stays = keep
    except LabError:
        stays = keep
        raise
    finally:
        if stays:
            started.keeper.detach()
            dataclasses.replace(started.description, owner=None).write(place.description)
            progress(f"the lab stays up: export KUBECONFIG={started.kubeconfig}; longhorn-qa lab down {options.name}")
        else:
            started.keeper.close()
            with _locked(options.name) as place:
                _clear(place)


def down_all() -> list[str]:
    """Ends every lab under the root, described or not; returns their names."""
    root = paths.lab_root()
    names = (
        sorted(entry.name for entry in root.iterdir() if entry.is_dir() and paths.is_name(entry.name))
        if root.is_dir()
        else []
    )
    return [name for name in names if down(name)]


def down(name: str) -> bool:
    """Ends a lab and removes its folder; False when there was nothing to do."""
    with _locked(name) as place:
        there = place.folder.exists()
        return _clear(place) or there


def find(name: str) -> Description:
    """The description of a lab that exists, up or not."""
    place = paths.lab_paths(name)
    found = description.read(place.description)
    if found is None:
        known = ", ".join(item.name for item in known_labs()) or "none"
        raise LabError(f"There is no lab {name!r} in {paths.lab_root()} (known labs: {known}): start it with lab up.")
    return found


def known_labs() -> list[Description]:
    """All labs with a description, by name."""
    files = sorted(paths.lab_root().glob("*/lab.json"))
    return [found for file in files if (found := description.read(file))]


def health(lab: Description) -> str:
    """One word: up, starting, broken (a part is missing) or dead (nothing runs)."""
    if not lab.keeper.alive():
        return "dead"
    if not all(process.alive() for process in lab.processes.values()):
        return "broken"
    return lab.state


def _start(place: LabPaths, options: Options, *, progress: Progress, owner: int | None) -> Running:
    _refuse_if_up(place, options.name)
    if _clear(place):
        progress(f"removed what an earlier lab {options.name!r} had left")
    binaries = sources.ensure(say=progress)
    _check_space(place)
    for attempt in range(_TRIES):
        chosen = ports.choose(options.name, api=options.api_port, attempt=attempt)
        keeper: KeeperClient | None = None
        try:
            with store.no_space_left(place.folder):
                _make_folders(place)
                layout = bringup.lay_out(place, options, ports=chosen, binaries=binaries)
                keeper = KeeperClient(place)
                started = BringUp(options, layout=layout, keeper=keeper, progress=progress).run(owner)
        except PortTaken as error:
            _close(keeper)
            if options.api_port is not None or attempt == _TRIES - 1:
                raise
            progress(f"{error} Trying others.")
            _clear(place)
        except KeyboardInterrupt:
            _close(keeper)
            _clear(place)
            raise
        except BaseException:
            _close(keeper)  # the folder stays: its logs say why
            raise
        else:
            return Running(started, keeper)
    raise AssertionError("the last try returns or raises")


def _close(keeper: KeeperClient | None) -> None:
    if keeper is not None:
        keeper.close()


def _refuse_if_up(place: LabPaths, name: str) -> None:
    lab = description.read(place.description)
    if lab is None or not lab.keeper.alive() or _abandoned(lab):
        return
    whose = f", and belongs to process {lab.owner}" if lab.owner else ""
    raise LabError(
        f"Lab {name!r} is already {lab.state} (Longhorn {lab.release}, since {lab.started}{whose}): take it down first "
        f"(longhorn-qa lab down {name}), or start another under its own name."
    )


def _abandoned(lab: Description) -> bool:
    """Whether its command was killed, and its keeper is about to end it: nobody starts it while the lock is ours."""
    return lab.state != description.UP or (lab.owner is not None and processes.identify(lab.owner) is None)


def _clear(place: LabPaths) -> bool:
    """Ends everything that belongs to the lab, then removes its files. True when a process was ended."""
    lab = description.read(place.description)
    left: list[processes.Process] = []
    if lab is not None and lab.keeper.alive():
        left.append(lab.keeper)
        processes.end([lab.keeper], grace=_KEEPER_GRACE)
    strays = [] if lab is None else [process for process in lab.processes.values() if process.alive()]
    strays += processes.marked(place.folder)
    processes.end(strays)
    shutil.rmtree(place.folder, ignore_errors=True)
    if place.egress_socket.parent == place.short_folder:
        shutil.rmtree(place.short_folder, ignore_errors=True)
    return bool(left or strays)


def _make_folders(place: LabPaths) -> None:
    for folder in (place.folder, place.logs, place.node):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.etcd.mkdir(mode=0o700, exist_ok=True)
    _own(place.egress_socket.parent)


def _own(folder: Path) -> None:
    """The socket's folder may lie where everybody may write: it has to be ours alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise LabError(
            f"{folder} is to hold the lab's socket, but it is not a folder of yours alone: remove it, or point "
            "LONGHORN_QA_LAB_DIR to a folder with a shorter path."
        )


def _check_space(place: LabPaths) -> None:
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.folder.parent).free
    if free < _SPACE_NEEDED:
        raise LabError(
            f"The disk that holds {place.folder.parent} is full: a lab needs {_SPACE_NEEDED >> 20} MiB, and "
            f"{free >> 20} MiB are free. Free some space, or point elsewhere with LONGHORN_QA_LAB_DIR."
        )


@contextlib.contextmanager
def _locked(name: str) -> Iterator[LabPaths]:
    place = paths.lab_paths(name)
    with store.no_space_left(place.folder):
        place.lock.parent.mkdir(parents=True, exist_ok=True)
        stream = place.lock.open("a+", encoding="utf-8")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise LabError(
                f"Lab {name!r} is being started or stopped by process {holder}: wait for it, or choose another name."
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield place
