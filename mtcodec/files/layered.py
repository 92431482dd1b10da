"""EXR files of several layers, as Blender writes them: each is a scene, its layers are the tasks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from mtcodec.files.formats import exr
from mtcodec.files.listing import Listing
from mtcodec.files.naming import HDR_TASK, RANK_CALLER, RANK_TASK_NAME
from mtcodec.files.search import SceneFiles, Search

SUFFIX = ".exr"


def split_off(search: Search, listing: Listing, prefix: str) -> tuple[Listing, list[SceneFiles]]:
    """What is left of a directory, and its EXR files of several layers as scenes.

    Files with a task's own name are images of that task. Whether others have layers, the first one tells.
    """
    files = [
        (stem, path)
        for stem, path in listing.images
        if path.lower().endswith(SUFFIX) and search.naming.meaning(stem)[0] > RANK_TASK_NAME
    ]
    if not files or len(exr.layers(Path(files[0][1]))) < 2:
        return listing, []
    scenes = {path: scene for stem, path in files if (scene := scene_of(search, prefix + stem, Path(path)))}
    images = [(stem, path) for stem, path in listing.images if path not in scenes]
    return replace(listing, images=images), list(scenes.values())


def scene_of(search: Search, key: str, path: Path) -> SceneFiles | None:
    """The layers of the file at ``path`` as a scene; None where there are not several."""
    layers = exr.layers(path)
    if len(layers) < 2:
        return None
    short_names = [layer.layer.rpartition(".")[2] for layer in layers]
    counts = Counter(short_names)
    images = []
    for layer, short_name in zip(layers, short_names):
        name = short_name if counts[short_name] == 1 else layer.layer
        images.append((_name(search, name), search.register(layer)))
    return search.scene(key, images, str(path))


def _name(search: Search, layer: str) -> str:
    """What a layer is called: colours are floats, of which the usual tasks have none."""
    rank, task = search.naming.meaning(layer)
    declared = search.naming.declared.get(task)
    if rank == RANK_CALLER or declared is None or declared.kind.name != "color":
        return layer
    search.note(f"{layer} is read as {HDR_TASK} (--rename {layer}={task} calls it so)")
    return HDR_TASK
