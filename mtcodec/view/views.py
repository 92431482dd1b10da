"""All scenes of a page, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mtcodec.errors import MtcodecError
from mtcodec.files.search import SceneFiles
from mtcodec.view.pictures import sizing
from mtcodec.view.scene import SceneView, view
from mtcodec.view.sources import Scenes, original_of


def views(
    scenes: Scenes,
    tasks: Sequence[str] | None = None,
    originals: Sequence[SceneFiles] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[SceneView]:
    """Everything that a page shows of ``scenes``; what is damaged has the error instead.

    Args:
        tasks: only these. originals: scenes of images; if there is one of each it is this one's.

    Raises:
        WeightsError: of the only scene, if no task can be decoded without.
    """
    found: list[SceneView] = []
    size = sizing(scenes.shown)
    for name, reader in scenes.entries:
        progress(len(found), scenes.shown)
        if isinstance(reader, MtcodecError):
            found.append(SceneView(name, error=reader, problem=reader.reason))
            continue
        only = scenes.count == len(originals) == 1
        source = originals[0] if only else original_of(name, originals)
        try:
            with np.errstate(all="ignore"):  # values may be as large as floats can be
                found.append(view(name, reader, scenes.codec, size, tasks, source))
        except MtcodecError as error:
            if scenes.count == 1:
                raise
            found.append(SceneView(name, error=error, problem=error.reason))
    return found
