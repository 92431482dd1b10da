"""Which weights: those that cost least for a scene, or for a dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mtcodec import threads
from mtcodec.codec.api import Codec
from mtcodec.codec.candidates import CandidateEncoder
from mtcodec.codec.prepare import largest_size
from mtcodec.codec.request import Request
from mtcodec.coders.coding_modes import channels_supported
from mtcodec.errors import MtcodecError
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of, to_level
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedGroup
    from mtcodec.networks.engine import Networks

CROP_SIDES = 128, 256  # shortest and longest side of the part of a scene on which networks are compared
MAX_TRIAL_PIXELS = 1 << 17  # of a scene up to which networks take no longer than finding out that they lose
WINDOW_SIDE = 256  # at most, of the part of a scene on which weights for a dataset are compared
MAX_COST_RATIO = 1.2  # of networks on the sample, over what a draft makes expect of a thorough encoding


# --- for a scene -----------------------------------------------------------------------------------------


class _CropCost(NamedTuple):
    """What networks cost on a crop: bits of the shared section, and costs by task."""

    shared_bits: int
    costs: Mapping[str, float]

    @property
    def total(self) -> float:
        return self.shared_bits + sum(self.costs.values())


def networks_for_scene(
    signals: Mapping[str, Signal], available: Sequence[Networks], request: Request, level: int
) -> Networks | None:
    """Of the networks that know most tasks, those that cost least on a part in the middle of the scene.

    None where none know any, where drafts of classical codecs cost clearly less for every task, or where all
    tasks' levels are beyond those that networks know.
    """
    if request.coding == "classical" or not signals:
        return None
    whole = CandidateEncoder(signals, request)
    if request.coding == "auto" and min(whole.task_level(n, level) for n in signals) > MAX_NETWORK_LEVEL:
        return None
    most_tasks = max((len(whole.supported_by(networks)) for networks in available), default=0)
    if not most_tasks:
        return None
    fitting = [networks for networks in available if len(whole.supported_by(networks)) == most_tasks]
    if len(fitting) == 1 and request.coding == "neural":
        return fitting[0]
    crops = [_center_crop(whole.supported_by(networks), request) for networks in fitting]
    costs = threads.parallel_map(lambda pair: _cost_on(*pair, level), list(zip(crops, fitting)))
    best = min(range(len(fitting)), key=lambda index: costs[index].total)
    pixels = max(signal.height * signal.width for signal in whole.supported_by(fitting[best]).values())
    if request.coding == "neural" or request.effort == "best" or pixels <= MAX_TRIAL_PIXELS:
        return fitting[best]
    return None if _loses_everywhere(crops[best], costs[best], level) else fitting[best]


def _center_crop(signals: Mapping[str, Signal], request: Request) -> CandidateEncoder:
    """An encoder of a part in the middle of images of one size, of a quarter of the area within limits."""
    cropped = {
        name: signal.crop((_middle(signal.height), _middle(signal.width))) for name, signal in signals.items()
    }
    return CandidateEncoder(cropped, request)


def _middle(length: int) -> slice:
    side = min(max(length // 2, CROP_SIDES[0]), CROP_SIDES[1])
    start = max(0, (length - side) // 2)
    return slice(start, start + side)


def _cost_on(crop: CandidateEncoder, networks: Networks, level: int) -> _CropCost:
    neural = crop.encode_neural(networks, level)
    costs = {name: crop.cost(name, candidate, level) for name, candidate in neural.tasks.items()}
    return _CropCost(8 * len(neural.shared or b""), costs)


def _loses_everywhere(crop: CandidateEncoder, cost: _CropCost, level: int) -> bool:
    """Do networks cost clearly more than classical codecs are expected to, for every task?"""
    return all(channels_supported(crop.signals[name]) for name in cost.costs) and all(
        task_cost > MAX_COST_RATIO * crop.expected_cost(name, crop.draft_cost(name, level))
        for name, task_cost in cost.costs.items()
    )


# --- for a dataset ---------------------------------------------------------------------------------------


class SceneCost(NamedTuple):
    """Bits + λ · errors of a whole scene, and whether its file needs networks."""

    cost: float
    is_neural: bool


def weights_for_dataset(
    paths: Sequence[Path], scenes: Sequence[Mapping[str, Array]], count: int, request: Request
) -> Path | None:
    """The weights' file with which ``count`` scenes cost least: bits + λ · errors.

    A window in the middle of each sampled scene is encoded, which counts for all of its pixels. Unless
    networks are asked for, weights compete with none at all, and their own file counts, which an archive
    keeps. Scenes that cannot be encoded with all of the weights count for nothing.

    Args:
        paths: weights to compare.
        scenes: the sample, (H, W) or (H, W, C) by task.
        request: settings of encoding; targets do not count here.

    Returns:
        None where no networks cost least, or there are no ``paths``.
    """
    request = replace(request, target_psnr={}, target_bytes=0)
    windows = [_center_window(scene) for scene in scenes]
    costs: dict[Path | None, list[SceneCost | None]] = {}
    if request.coding != "neural":
        costs[None] = [_scene_cost(None, *window, request) for window in windows]
        limit = _total([cost for cost in costs[None] if cost], count)
        # networks whose file alone costs as much cannot save it
        paths = [path for path in paths if _file_bits(path) < limit]
    costs |= {path: [_scene_cost(path, *window, request) for window in windows] for path in paths}
    comparable = [all(scene_costs) for scene_costs in zip(*costs.values())]
    totals: dict[Path | None, float] = {}
    for path, scene_costs in costs.items():
        compared = [cost for cost, use in zip(scene_costs, comparable) if use and cost]
        totals[path] = _total(compared, count)
        if path and None in costs and any(cost.is_neural for cost in compared):
            totals[path] += _file_bits(path)
    return min(totals, key=lambda path: (totals[path], str(path or "")), default=None)


def _file_bits(path: Path) -> int:
    return 8 * path.stat().st_size


def _total(costs: Sequence[SceneCost], count: int) -> float:
    """Bits of ``count`` scenes, as a sample tells."""
    return sum(scene_cost.cost for scene_cost in costs) * count / max(len(costs), 1)


def _center_window(scene: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """A window in the middle of a scene, and its share of the pixels.

    Images of different sizes stay so, and show the same part of the view.
    """
    largest = largest_size(scene)
    windows = {
        name: image[tuple(map(_window, image.shape[:2], largest))] if image.ndim > 1 else image
        for name, image in scene.items()
    }
    pixels, all_pixels = (
        sum(math.prod(image.shape[:2]) for image in images.values()) for images in (windows, scene)
    )
    return windows, pixels / all_pixels


def _window(length: int, largest: int) -> slice:
    """Of a side, where that of the largest image is ``largest``."""
    side = max(1, round(WINDOW_SIDE * length / largest))
    start = max(0, (length - side) // 2)
    return slice(start, start + side)


def _scene_cost(
    path: Path | None, window: Mapping[str, Array], share: float, request: Request
) -> SceneCost | None:
    """The cost of a scene with the weights at ``path``, of which ``window`` has such a share of the pixels.

    None where it cannot be encoded.
    """
    try:
        encoded = Codec(() if path is None else path, **vars(request)).encode_stored(window)
    except MtcodecError:
        return None
    return SceneCost(_cost(encoded, request) / share, encoded.neural is not None)


def _cost(encoded: EncodedGroup, request: Request) -> float:
    """Bits of a file + λ · its squared errors by task, weighted."""
    cost = 8.0 * len(encoded.to_bytes())
    for name, candidate in encoded.chosen.items():
        level = to_level(request.task_quality.get(name, request.quality))
        cost += lambda_of(level) * encoded.prepared.signals[name].task.weight * candidate.squared_error()
    return cost
