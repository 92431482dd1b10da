"""Scenes and tasks that commands name, and the codecs for them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.cli.common import note, set_threads
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.tasks import Declarations

if TYPE_CHECKING:
    from mtcodec.cli.options import MachineOptions
    from mtcodec.codec.api import Codec
    from mtcodec.codec.request import Request
    from mtcodec.files.trees.layouts import SceneFiles
    from mtcodec.files.trees.sequences import SequenceFiles


def find(
    datasets: Sequence[Path], declared: Declarations, tasks_by_name: Mapping[str, str] = {},
    tell: Callable[[str], None] = note, attach: Sequence[str] | None = None,
    reading: Reading = AS_USUAL,
) -> list[SceneFiles]:  # fmt: skip
    """Scenes of ``datasets``, of tasks that are ``declared`` or are called otherwise in ``tasks_by_name``.

    Args:
        tell: takes notes about what was left out or assumed.
        attach: names of files to keep beside the images.
        reading: how images are read.
    """
    from mtcodec.files.trees.layouts import find_scenes

    by_dataset = (
        find_scenes(path, declared, tasks_by_name, tell, attach or (), reading) for path in datasets
    )
    all_scenes = [scene for scenes in by_dataset for scene in scenes]
    for task in reading.unpack:
        if not any(task in scene.files for scene in all_scenes):
            raise UsageError("no scene has an image of it to unpack", task=task)
    return all_scenes


def sequences_of(
    scenes: Sequence[SceneFiles], tell: Callable[[str], None], tasks: Sequence[str] | None = None
) -> list[SequenceFiles]:
    """The sequences whose frames ``scenes`` are, dataset by dataset; of ``tasks``, frames that have any."""
    from mtcodec.files.trees.sequences import find_sequences, with_tasks

    by_dataset: dict[Path | None, list[SceneFiles]] = {}
    for scene in scenes:
        by_dataset.setdefault(scene.dataset, []).append(scene)
    sequences = [one for of_dataset in by_dataset.values() for one in find_sequences(of_dataset, tell)]
    return sequences if tasks is None else [with_tasks(one, tasks, tell) for one in sequences]


def tell_of_recordings(scenes: Sequence[SceneFiles], tell: Callable[[str], None]) -> None:
    """Say so where scenes look like frames of recordings."""
    from mtcodec.files.trees.sequences import looks_like_recordings

    if line := looks_like_recordings(scenes):
        tell(line)


def with_listed(paths: Sequence[Path] | None, files_from: str) -> list[Path]:
    """Paths of the command line, and those that a file (``-``: standard input) lists, one a line.

    Raises:
        SceneError: the list cannot be read.
        UsageError: there are no paths.
    """
    inputs = list(paths or [])
    if files_from == "-" and sys.stdin is None:
        raise SceneError("standard input is closed")
    if files_from:
        try:
            text = sys.stdin.read() if files_from == "-" else Path(files_from).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SceneError(f"cannot read it: {error}", path=files_from) from error
        inputs += [Path(line) for line in text.splitlines() if line]
    if not inputs:
        raise UsageError("no scenes or datasets given")
    return inputs


def check_tasks(request: Request, scenes: Sequence[SceneFiles]) -> None:
    """Raise UsageError where no scene has a task that has settings for itself."""
    missing = request.tasks_named() - {task for scene in scenes for task in scene.files}
    if missing:
        raise UsageError(f"settings for task {min(missing)!r}, which no scene has")


def codecs_by_name(weights: str, machine: MachineOptions, coding: str = "neural") -> dict[str, Codec]:
    """Codecs by the name of their weights, for a list such as ``clevr,runs/other.safetensors,auto``."""
    from mtcodec.codec.api import load
    from mtcodec.networks.weights import store

    set_threads(machine.threads)
    codecs: dict[str, Codec] = {}
    for item in weights.split(","):
        name = item if item == store.AUTO else store.find(item).stem
        if name in codecs:
            raise UsageError(f"two weights called {name!r}: rename one of the files")
        codecs[name] = load(item, machine.device, coding=coding)
    return codecs
