"""Small files beside the images of a scene, which are kept with it: ``camera.json``, ``pose/{key}.txt``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.search import SceneFiles

MAX_BYTES = 1 << 16  # of a scene's files together, as in the format
KEY = "{key}"


def with_attached(scene: SceneFiles, names: Sequence[str]) -> SceneFiles:
    """``scene`` with the files that ``names`` say.

    A name is a path within the directory that holds the scene's images (for one directory a task: the
    dataset's), or, if nothing is there, any other path; ``{key}`` in it stands for the scene's key.

    Raises:
        UsageError: two files of one name.
    """
    parents = [str(Path(str(source)).parent) for source in scene.files.values()]
    around = Path(os.path.commonpath(parents))
    found: dict[str, Path] = {}
    for name in names:
        inside, other = around / name.replace(KEY, scene.key), Path(name.replace(KEY, scene.key))
        path = other if other.is_file() and not inside.is_file() else inside
        if path.name in found:
            raise UsageError(f"two attached files are called {path.name!r}", path=scene.label)
        found[path.name] = path
    return replace(scene, attachments=found)


def read(scene: SceneFiles) -> dict[str, bytes]:
    """Contents of a scene's files by name.

    Raises:
        SceneError: one is not there, or they are too large.
    """
    contents: dict[str, bytes] = {}
    for name, path in scene.attachments.items():
        try:
            left = MAX_BYTES - sum(map(len, contents.values()))
            with path.open("rb") as file:
                contents[name] = file.read(left + 1)
        except OSError as error:
            raise SceneError(f"cannot attach it: {error.strerror or error}", path=path) from error
        if len(contents[name]) > left:
            raise SceneError(f"attached files have at most {MAX_BYTES} bytes in all", path=path)
    return contents


def used(scenes: Iterable[SceneFiles], paths: Sequence[str]) -> list[str]:
    """``paths`` (of directories, if they end in ``/``) without those that are attached or hold such files."""
    files = {path for scene in scenes for path in scene.attachments.values()}
    around = {str(parent) + "/" for path in files for parent in path.parents} | {str(path) for path in files}
    return [path for path in paths if path not in around]
