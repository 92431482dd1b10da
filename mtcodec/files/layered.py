"""EXR files of several layers, as Blender writes them: each is a scene, its layers are the tasks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import exr
from mtcodec.files.listing import Listing
from mtcodec.files.naming import GIVEN, HDR, OWN
from mtcodec.files.search import SceneFiles, Search

SUFFIX = ".exr"


def taken(search: Search, listing: Listing, prefix: str = "") -> tuple[Listing, list[SceneFiles]]:
    """What is left of a directory, and its EXR files of several layers as scenes.

    Files with a task's own name are images of that task. Whether others have layers, the first one tells.
    """
    files = [(stem, path) for stem, path in listing.images if path.lower().endswith(SUFFIX)]
    files = [(stem, path) for stem, path in files if search.naming.rank(stem)[0] > OWN]
    if not files or len(exr.layers(Path(files[0][1]))) < 2:
        return listing, []
    scenes = {path: own for stem, path in files if (own := _scene(search, prefix + stem, Path(path)))}
    left = [(stem, path) for stem, path in listing.images if path not in scenes]
    return listing._replace(images=left), list(scenes.values())


def scene(search: Search) -> SceneFiles:
    """The scene of a dataset that is an EXR file.

    Raises:
        SceneError: it has one layer.
    """
    found = _scene(search, search.dataset.stem, search.dataset)
    if found is None:
        raise SceneError("not an EXR file of several layers", path=search.dataset)
    return found


def _scene(search: Search, key: str, path: Path) -> SceneFiles | None:
    layers = exr.layers(path)
    if len(layers) < 2:
        return None
    short = Counter(layer.layer.rpartition(".")[2] for layer in layers)
    named = []
    for layer in layers:
        name = layer.layer.rpartition(".")[2]
        named.append((_name(search, name if short[name] == 1 else layer.layer), search.source(layer)))
    return search.made(key, named, str(path))


def _name(search: Search, layer: str) -> str:
    """What a layer is called: colours are floats, of which the usual tasks have none."""
    rank, task = search.naming.rank(layer)
    known = search.naming.declared.get(task)
    if rank == GIVEN or known is None or known.kind.name != "color":
        return layer
    search.note(f"{layer} is read as {HDR} (--name {layer}={task} calls it so)")
    return HDR
