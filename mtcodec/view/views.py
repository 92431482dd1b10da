"""All scenes of a page, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mtcodec.errors import MtcodecError
from mtcodec.files.search import SceneFiles
from mtcodec.view.pictures import sizing_for
from mtcodec.view.scene import SceneView, view_scene
from mtcodec.view.sources import Scenes, original_of


def view_scenes(
    scenes: Scenes,
    tasks: Sequence[str] | None = None,
    originals: Sequence[SceneFiles] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[SceneView]:
    """Everything that a page shows of ``scenes``; a scene that is damaged has the error instead.

    Args:
        tasks: only these.
        originals: scenes of images, found by their names; a single one belongs to a single scene of any name.
        progress: called before every scene with the number of those that are done, and of all.

    Raises:
        WeightsError: of the only scene, if no task can be decoded without.
    """
    views: list[SceneView] = []
    sizing = sizing_for(scenes.shown_count)
    for name, reader in scenes.entries:
        progress(len(views), scenes.shown_count)
        if isinstance(reader, MtcodecError):
            views.append(SceneView(name, error=reader, problem=reader.reason))
            continue
        single_pair = scenes.count == len(originals) == 1
        original = originals[0] if single_pair else original_of(name, originals)
        try:
            with np.errstate(all="ignore"):  # values may be as large as floats can be
                views.append(view_scene(name, reader, scenes.codec, sizing, tasks, original))
        except MtcodecError as error:
            if scenes.count == 1:
                raise
            views.append(SceneView(name, error=error, problem=error.reason))
    return views
