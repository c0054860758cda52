# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which sources are asked: the user's folder, the cache, official releases, Debian's source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from longhorn_qa_lab import paths
from longhorn_qa_lab.binaries import assets, debian, official, store
from longhorn_qa_lab.binaries.catalog import Binaries
from longhorn_qa_lab.errors import Damaged, LabError, Missing, Unavailable
from longhorn_qa_lab.progress import Progress, Say, as_progress

Fill = Callable[[Path], None]


def ensure(
    *,
    assets_folder: Path | None = None,
    cache: Path | None = None,
    addresses: official.Addresses | None = None,
    say: Progress | Say | None = None,
) -> Binaries:
    """A complete, checked set of programs; the first call on a machine may take minutes, later ones a second."""
    progress = as_progress(say)
    given = assets_folder or _assets_from_environment()
    if given is not None:
        return assets.load(given)
    root = cache or paths.cache_root()
    found = _cached(root, progress)
    if found is not None:
        return found
    with store.locked(root, progress):
        found = _cached(root, progress)  # somebody else may have finished while we waited
        if found is not None:
            return found
        return _obtain(root, addresses or official.Addresses.from_environment(), progress)


def _assets_from_environment() -> Path | None:
    given = os.environ.get("LONGHORN_QA_ASSETS")
    return Path(given).expanduser().resolve() if given else None


def _cached(root: Path, progress: Progress) -> Binaries | None:
    for key in (official.key(), debian.key()):
        try:
            found = store.load(root / key)
        except Damaged as error:
            progress(f"the cached binaries are damaged and will be replaced: {error}")
            continue
        if found is not None:
            return found
    return None


def _obtain(root: Path, addresses: official.Addresses, progress: Progress) -> Binaries:
    try:
        return _download(root, addresses, progress)
    except Unavailable as error:
        progress(f"official releases cannot be had here: {error}")
    except Damaged as error:
        progress(f"an official release was refused: {error}")
    progress("building from Debian's source package instead")
    try:
        debian.check(root)
        return _build(root, progress)
    except (Unavailable, Missing) as error:
        raise LabError(f"No source of the control plane's programs works here. Debian: {error}") from error


def _download(root: Path, addresses: official.Addresses, progress: Progress) -> Binaries:
    with store.workspace(root) as work:
        made = _folder(work)
        official.fetch(made, addresses, progress)
        return store.publish(made, root / official.key(), source=official.SOURCE, kubernetes=official.KUBERNETES)


def _build(root: Path, progress: Progress) -> Binaries:
    with store.workspace(root) as work:
        made = _folder(work)
        debian.build(work / "build", made, progress)
        published = store.publish(made, root / debian.key(), source=debian.SOURCE, kubernetes=debian.KUBERNETES)
        shutil.rmtree(work / "build", ignore_errors=True)
    progress(f"the control plane is built and cached in {published.folder}")
    return published


def _folder(work: Path) -> Path:
    folder = work / "set"
    folder.mkdir()
    return folder
