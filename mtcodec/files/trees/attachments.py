"""Small files beside the images of a scene, which are kept with it: ``camera.json``, ``pose/{key}.txt``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.sources import directory_of
from mtcodec.files.trees.search import SceneFiles

MAX_BYTES = 1 << 16  # of a scene's files together, as in the format
KEY_PLACEHOLDER = "{key}"


def attach(scene: SceneFiles, names: Sequence[str], dataset: Path) -> SceneFiles:
    """``scene`` with the files that ``names`` say.

    A name is a path from the directory that holds the scene's images (for one directory a task: the one
    around these), or from one around it up to the dataset, or any other path; the first that is there counts.
    ``{key}`` in it stands for the scene's key, or the end of it: for ``run/0001`` also ``0001``.

    Raises:
        UsageError: two files of one name.
    """
    image_directories = [str(directory_of(source)) for source in scene.files.values()]
    innermost = Path(os.path.commonpath(image_directories))
    around = [path for path in innermost.parents if path == dataset or dataset in path.parents]
    directories = (innermost, *(around if innermost != dataset else ()))
    attachments: dict[str, Path] = {}
    for name in names:
        paths = [Path(name.replace(KEY_PLACEHOLDER, key)) for key in _ends(scene.key)]
        candidates = [*(directory / path for directory in directories for path in paths), *paths]
        path = next((path for path in dict.fromkeys(candidates) if path.is_file()), candidates[0])
        if path.name in attachments:
            raise UsageError(f"two attached files are called {path.name!r}", path=scene.label)
        attachments[path.name] = path
    return replace(scene, attachments=attachments)


def _ends(key: str) -> list[str]:
    """``a/b/c``, ``b/c`` and ``c``."""
    parts = key.split("/")
    return ["/".join(parts[first:]) for first in range(len(parts))]


def read(scene: SceneFiles) -> dict[str, bytes]:
    """Contents of a scene's files by name.

    Raises:
        SceneError: one is not there, or they are too large.
    """
    contents: dict[str, bytes] = {}
    for name, path in scene.attachments.items():
        try:
            bytes_left = MAX_BYTES - sum(map(len, contents.values()))
            with path.open("rb") as file:
                contents[name] = file.read(bytes_left + 1)
        except OSError as error:
            raise SceneError(f"cannot attach it: {error.strerror or error}", path=path) from error
        if len(contents[name]) > bytes_left:
            raise SceneError(f"attached files have at most {MAX_BYTES} bytes in all", path=path)
    return contents


def attached_paths(scenes: Iterable[SceneFiles]) -> set[str]:
    """Paths of the files that are attached, and of all directories around them, which end in ``/``."""
    files = {path for scene in scenes for path in scene.attachments.values()}
    return {str(path) for path in files} | {f"{parent}/" for path in files for parent in path.parents}
