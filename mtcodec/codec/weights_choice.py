"""Which weights: those that cost least for a scene, or for a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtcodec import threads
from mtcodec.codec.candidates import Candidates
from mtcodec.codec.request import Request
from mtcodec.coders.coding_modes import takes_channels
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.networks.engine import Networks

SAMPLE_SIDES = 128, 256  # shortest and longest side of the part of a scene on which networks are compared
MAX_TRIAL_PIXELS = 1 << 17  # of a scene up to which networks take no longer than finding out that they lose
MAX_COST_RATIO = 1.2  # of networks on the sample, over what a draft makes expect of a thorough encoding


# --- for a scene -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trial:
    """What networks make of a sample: bits of the shared section, and costs by task."""

    shared_bits: int
    costs: Mapping[str, float]

    @property
    def total(self) -> float:
        return self.shared_bits + sum(self.costs.values())


def networks_for_scene(
    signals: Mapping[str, Signal], networks: Sequence[Networks], request: Request, level: int
) -> Networks | None:
    """Of the networks that know most tasks, those that cost least on a part in the middle of the scene.

    None where none know any, where drafts of classical codecs cost clearly less for every task, or where all
    tasks' levels are beyond those that networks know.
    """
    if request.coding == "classical" or not signals:
        return None
    scene = Candidates(signals, request)
    if request.coding == "auto" and min(scene.task_level(n, level) for n in signals) > MAX_NETWORK_LEVEL:
        return None
    most_tasks = max((len(scene.known_to(one)) for one in networks), default=0)
    fitting = [one for one in networks if most_tasks and len(scene.known_to(one)) == most_tasks]
    if not fitting or (len(fitting) == 1 and request.coding == "neural"):
        return fitting[0] if fitting else None
    sample = _sample(signals, request)
    trials = threads.parallel_map(lambda one: _try(sample, one, level), fitting)
    best = min(range(len(fitting)), key=lambda index: trials[index].total)
    pixels = max(signal.height * signal.width for signal in signals.values())
    if request.coding == "neural" or request.effort == "best" or pixels <= MAX_TRIAL_PIXELS:
        return fitting[best]
    return None if _loses_everywhere(sample, trials[best], level) else fitting[best]


def _sample(signals: Mapping[str, Signal], request: Request) -> Candidates:
    """Candidates of a part in the middle, of a quarter of the area within limits."""
    first = next(iter(signals.values()))
    window = []
    for size in (first.height, first.width):
        side = min(max(size // 2, SAMPLE_SIDES[0]), SAMPLE_SIDES[1])
        start = max(0, (size - side) // 2)
        window.append(slice(start, start + side))
    cropped = {name: signal.crop((window[0], window[1])) for name, signal in signals.items()}
    return Candidates(cropped, request)


def _try(sample: Candidates, networks: Networks, level: int) -> _Trial:
    neural = sample.neural(networks, level)
    costs = {name: sample.cost(name, candidate, level) for name, candidate in neural.tasks.items()}
    return _Trial(8 * len(neural.shared or b""), costs)


def _loses_everywhere(sample: Candidates, trial: _Trial, level: int) -> bool:
    """Do networks cost clearly more than classical codecs are expected to, for every task?"""
    return all(takes_channels(sample.signals[name]) for name in trial.costs) and all(
        cost > MAX_COST_RATIO * sample.expected_cost(name, sample.draft_cost(name, level))
        for name, cost in trial.costs.items()
    )
