"""What a dataset's archive has to be: its tasks, and the weights that all of its scenes are encoded with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.archive.names import is_archive
from mtcodec.archive.read import Opened
from mtcodec.codec.api import Codec
from mtcodec.codec.prepare import check
from mtcodec.codec.request import Request
from mtcodec.errors import MtcodecError
from mtcodec.evaluation.stats import spread
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import read_scene
from mtcodec.format.quality import lambda_of, to_step
from mtcodec.signal.mapping import Array
from mtcodec.tasks import Declarations
from mtcodec.weights import store
from mtcodec.weights.file import describe

if TYPE_CHECKING:
    from mtcodec.codec.encoded import Encoded

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
    name: str | Path, scenes: Sequence[SceneFiles], tasks: Sequence[str], request: Request, output: Path
) -> Path | None:
    """The weights ``name``; for ``auto`` those that ``output`` has already, or that cost a sample least.

    None where no networks are to be used, or none are installed.

    Raises:
        WeightsNotFound: no weights of that name, or those of ``output`` are gone.
    """
    if request.coding == "classical":
        return None
    paths = store.resolve(name)
    if str(name) == store.AUTO and is_archive(output):
        about = Opened(output).about
        if about.weights is None:
            return None
        installed = (path for path in paths if describe(path).fingerprint == about.fingerprint)
        kept = output / about.weights
        return kept if kept.is_file() else next(installed, None) or store.find_fingerprint(about.fingerprint)
    return paths[0] if len(paths) == 1 else cheapest(paths, scenes, tasks, request)


def cheapest(
    paths: Sequence[Path], scenes: Sequence[SceneFiles], tasks: Sequence[str], request: Request
) -> Path | None:
    """Those weights that cost least on parts of a few scenes, all of which count the same.

    Scenes that cannot be read or encoded count for nothing here.
    """
    codecs = [Codec(path, **vars(replace(request, target_psnr={}, target_bytes=0))) for path in paths]
    costs = [0.0] * len(codecs)
    for files in spread(scenes, SAMPLE):
        try:
            scene = _part(read_scene(files, request.tasks, tasks))
            made = [cost(codec.encode_measured(scene), request) for codec in codecs]
        except MtcodecError:
            continue
        costs = [total + own for total, own in zip(costs, made)]
    return min(zip(costs, paths))[1] if paths else None


def _part(scene: Mapping[str, Array]) -> dict[str, Array]:
    """A window in the middle of a scene."""
    height, width = next(iter(check(scene).values())).shape[:2]
    top, left = max(0, (height - SIDE) // 2), max(0, (width - SIDE) // 2)
    return {name: image[top : top + SIDE, left : left + SIDE] for name, image in scene.items()}


def cost(encoded: Encoded, request: Request) -> float:
    """Bits of a file and, by λ, its squared errors."""
    total = 8.0 * len(encoded.data)
    for name, coded in encoded.tasks.items():
        step = to_step(request.task_quality.get(name, request.quality))
        total += lambda_of(step) * encoded.prepared.originals[name].task.weight * coded.error
    return total
