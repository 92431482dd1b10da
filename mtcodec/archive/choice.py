"""What a dataset's archive has to be: its tasks, and the weights that all of its scenes are encoded with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mtcodec.archive.read import Opened
from mtcodec.archive.write import part_names
from mtcodec.codec.api import Codec
from mtcodec.codec.prepare import check
from mtcodec.codec.request import Request
from mtcodec.container.header import parse
from mtcodec.errors import MtcodecError, WeightsNotFound
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import read_scene
from mtcodec.measure.stats import spread
from mtcodec.networks.weights import store
from mtcodec.networks.weights.file import SUFFIX, describe
from mtcodec.quality import lambda_of, to_level
from mtcodec.signals.mapping import Array
from mtcodec.tasks import Declarations

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedScene

Sampled = tuple[float, bool] | None
"""Cost of a scene, and whether it needs networks; None where it cannot be encoded."""
SAMPLE, SIDE = 8, 256  # scenes that decide on weights, and the pixels of a side that are looked at


def tasks_of(scenes: Sequence[SceneFiles], declared: Declarations) -> tuple[str, ...]:
    """Names of all tasks that ``scenes`` have; alpha, which only images tell, of a sample of them."""
    names = dict.fromkeys(name for files in scenes for name in files.files)
    for files in spread(scenes, SAMPLE):
        try:
            names |= dict.fromkeys(read_scene(files, declared))
        except MtcodecError:
            continue
    return tuple(names)


def choose_weights(
    name: str | Path, scenes: Sequence[SceneFiles], tasks: Sequence[str], request: Request, output: str | Path
) -> Path | None:
    """The weights ``name``; for ``auto`` those that ``output`` has already, or that cost a sample least.

    None where no networks are to be used, none are installed, or they save less than their file takes.

    Raises:
        WeightsNotFound: no weights of that name, or those of ``output`` are gone.
    """
    if request.coding == "classical":
        return None
    paths = store.resolve(name)
    if str(name) == store.AUTO and part_names(output):
        opened = Opened(output)
        about = opened.about
        if about.weights is None:
            return None
        installed = (path for path in paths if describe(path).fingerprint == about.fingerprint)
        kept = Path(output) / about.weights
        return kept if kept.is_file() else next(installed, None) or _fetched(opened)
    if len(paths) == 1 and (str(name) != store.AUTO or request.coding == "neural"):
        return paths[0]
    return cheapest(paths, scenes, tasks, request)


_here: list[TemporaryDirectory[str]] = []  # of weights that were fetched; removed when the process ends


def _fetched(opened: Opened) -> Path:
    """The weights of an archive as a local file, installed or its own."""
    try:
        return store.find_fingerprint(opened.about.fingerprint)
    except WeightsNotFound:
        data = opened.weights_bytes()
    _here.append(TemporaryDirectory(prefix="mtcodec-"))
    path = Path(_here[-1].name) / f"{opened.about.fingerprint}{SUFFIX}"
    path.write_bytes(data)
    return path


def cheapest(
    paths: Sequence[Path], scenes: Sequence[SceneFiles], tasks: Sequence[str], request: Request
) -> Path | None:
    """Those weights that cost least over all scenes, as parts of a few tell, which count by their pixels.

    Unless networks are asked for, their file counts too, which an archive keeps: None where they save less.
    Scenes that cannot be read or encoded count for nothing here.
    """
    wanted = replace(request, target_psnr={}, target_bytes=0)
    parts = [_part(scene) for files in spread(scenes, SAMPLE) if (scene := _read(files, tasks, wanted))]
    found: dict[Path | None, list[Sampled]] = {}
    if request.coding != "neural":
        found[None] = [_sampled(None, *part, wanted) for part in parts]
        bound = _total(found[None], len(scenes))  # networks whose file alone costs as much cannot save it
        paths = [path for path in paths if 8 * path.stat().st_size < bound]
    found |= {path: [_sampled(path, *part, wanted) for part in parts] for path in paths}
    usable = [all(own) for own in zip(*found.values())]
    totals: dict[Path | None, float] = {}
    for path, sampled in found.items():
        kept = [own for own, good in zip(sampled, usable) if good]
        needed = None in found and any(own is not None and own[1] for own in kept)
        totals[path] = _total(kept, len(scenes)) + (8 * path.stat().st_size if needed and path else 0)
    return min(totals, key=lambda path: (totals[path], str(path or "")), default=None)


def _total(sampled: Sequence[Sampled], count: int) -> float:
    """Cost of so many scenes."""
    costs = [own[0] for own in sampled if own is not None]
    return sum(costs) * count / max(len(costs), 1)


def _read(files: SceneFiles, tasks: Sequence[str], request: Request) -> dict[str, Array]:
    """Images of a scene, or none."""
    try:
        return check(read_scene(files, request.tasks, tasks))
    except MtcodecError:
        return {}


def _sampled(path: Path | None, part: Mapping[str, Array], share: float, request: Request) -> Sampled:
    """What a scene costs with these weights, of which ``part`` is such a share of the pixels."""
    try:
        encoded = Codec(() if path is None else path, **vars(request)).encode_scene(part)
    except MtcodecError:
        return None
    return cost(encoded, request) / share, parse(encoded.to_bytes()).is_neural


def _part(scene: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """A window in the middle of a scene, and its share of the pixels."""
    height, width = next(iter(scene.values())).shape[:2]
    top, left = max(0, (height - SIDE) // 2), max(0, (width - SIDE) // 2)
    window = {name: image[top : top + SIDE, left : left + SIDE] for name, image in scene.items()}
    return window, min(height, SIDE) * min(width, SIDE) / (height * width)


def cost(encoded: EncodedScene, request: Request) -> float:
    """Bits of a file and, by λ, its squared errors."""
    total = 8.0 * len(encoded.to_bytes())
    for name, coded in encoded.candidates.items():
        step = to_level(request.task_quality.get(name, request.quality))
        total += lambda_of(step) * encoded.prepared.signals[name].task.weight * coded.squared_error()
    return total
