"""Candidates of the tasks that are coded by quality; those of classical codecs are encoded once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mtcodec import threads
from mtcodec.codec.request import Request
from mtcodec.coders import classical
from mtcodec.coders.candidate import Candidate
from mtcodec.coders.coding_modes import (
    CodingMode,
    channels_supported,
    modes_for,
    settings_worth_trying,
    usual_setting,
)
from mtcodec.container.section import SHARED
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of, to_level
from mtcodec.signals.mapping import CHUNK_PIXELS
from mtcodec.signals.measures import errors
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates
    from mtcodec.networks.engine import Networks

R = TypeVar("R")
MAX_LOSSLESS_PIXELS = 4096  # of images up to which storing exactly is weighed for every task
COARSE_RADIUS = 16  # AV1 settings on both sides of the usual one in which quick encodings look for a PSNR
FINE_BELOW, FINE_ABOVE = 12, 3  # settings around what they find: they have up to 0.9 dB less


class DraftCostRatio(NamedTuple):
    """The cost of a draft over that of a thorough encoding.

    Attributes:
        mean: of 10 to 18 pictures at four qualities.
        high: hardly ever more: 1.5 standard deviations of the logarithm above the mean.
    """

    mean: float
    high: float


DRAFT_COST_RATIOS = {
    "color": DraftCostRatio(1.24, 1.44),
    "depth": DraftCostRatio(1.49, 1.77),
    "vectors": DraftCostRatio(1.41, 1.68),
}
"""By the names of :attr:`mtcodec.tasks.Kind.rd_table`."""


class CandidateEncoder:
    """Encodes candidates for one frame; those of classical codecs once.

    Args:
        signals: of the tasks that are coded by quality, by name.
        effort: of classical codecs, if other than the request's.
    """

    def __init__(self, signals: Mapping[str, Signal], request: Request, effort: str = "") -> None:
        self.signals, self.request, self.effort = signals, request, effort or request.effort
        self._classical: dict[tuple[str, str, float, str], Candidate] = {}  # by task, mode, setting, preset

    # --- costs -------------------------------------------------------------------------------------------

    def task_level(self, name: str, level: int) -> int:
        """The quality level of a task, if ``level`` is the scene's."""
        quality = self.request.task_quality.get(name)
        return level if quality is None else to_level(quality)

    def task_lambda(self, name: str, level: int) -> float:
        """λ · weight of a task: what a unit of its squared error costs in bits."""
        return float(lambda_of(self.task_level(name, level))) * self.signals[name].task.weight

    def cost(self, name: str, candidate: Candidate, level: int) -> float:
        """Bits + λ · weight · squared error."""
        return candidate.bits + self.task_lambda(name, level) * candidate.squared_error()

    def expected_cost(self, name: str, draft_cost: float) -> float:
        """The mean cost of thorough encodings where a draft has this cost."""
        return draft_cost / DRAFT_COST_RATIOS[self.signals[name].task.kind.rd_table].mean

    def optimistic_cost(self, name: str, draft_cost: float) -> float:
        """A cost that thorough encodings hardly ever go below where a draft has this one."""
        return draft_cost / DRAFT_COST_RATIOS[self.signals[name].task.kind.rd_table].high

    # --- single candidates -------------------------------------------------------------------------------

    def supported_by(self, networks: Networks) -> dict[str, Signal]:
        """The signals that networks can code: of those that they know, all of the size that most have."""
        known = {name: signal for name, signal in self.signals.items() if networks.knows(signal.task)}
        sizes = Counter((signal.height, signal.width) for signal in known.values())
        if not sizes:
            return {}
        size = max(sizes, key=lambda size: (sizes[size], math.prod(size)))
        return {name: signal for name, signal in known.items() if (signal.height, signal.width) == size}

    def encode_neural(self, networks: Networks, level: int) -> NeuralCandidates:
        """What networks make of the tasks they know, at no higher level than they were trained for."""
        from mtcodec.coders import neural  # needs onnxruntime

        levels = {SHARED: level} | {name: self.task_level(name, level) for name in networks.tasks}
        levels = {stream: min(stream_level, MAX_NETWORK_LEVEL) for stream, stream_level in levels.items()}
        return neural.encode(networks, self.supported_by(networks), levels)

    def draft_costs(self, name: str, level: int) -> list[tuple[CodingMode, float]]:
        """The coding modes worth trying for a task, with their costs at the quickest speed."""
        signal, task_lambda = self.signals[name], self.task_lambda(name, level)
        pairs = []
        for mode in modes_for(signal, "draft"):
            setting = mode.rounded(usual_setting(signal, mode, task_lambda))
            draft = self._encode(name, mode, setting, "draft")
            pairs.append((mode, self.cost(name, draft, level)))
        return pairs

    def draft_cost(self, name: str, level: int) -> float:
        """The least cost of a task's drafts."""
        return min(cost for _, cost in self.draft_costs(name, level))

    def encode_classical(self, name: str, level: int, preset: str = "thorough") -> list[Candidate]:
        """Candidates of classical codecs: in the mode that drafts find best, or in all that are worth trying.

        Args:
            preset: what the effort ``normal`` of a request means for this task.
        """
        signal = self.signals[name]
        if not channels_supported(signal):
            return []
        preset = preset if self.effort == "normal" else self.effort
        modes = modes_for(signal, preset)
        if preset != "best" and len(modes) > 1:
            modes = [min(self.draft_costs(name, level), key=lambda pair: pair[1])[0]]
        task_lambda = self.task_lambda(name, level)
        return [
            self._encode(name, mode, setting, preset)
            for mode in modes
            for setting in settings_worth_trying(signal, mode, task_lambda, preset)
        ]

    def encode_reaching(self, name: str, psnr: float, level: int) -> list[Candidate]:
        """AV1 encodings of a task that just reach a PSNR in dB, of every mode that can; for targets.

        AV1's settings are coarser than λ. ``level`` is one near the target.
        """
        signal = self.signals[name]
        modes = modes_for(signal, "best") if channels_supported(signal) else []
        av1_modes = (mode for mode in modes if mode.codec == "av1")
        return [candidate for mode in av1_modes for candidate in self._reaching(name, mode, psnr, level)]

    def _reaching(self, name: str, mode: CodingMode, psnr: float, level: int) -> list[Candidate]:
        """The same in one mode: quick encodings, whose PSNR is nearly right, tell where to look."""
        signal = self.signals[name]
        preset = "thorough" if self.effort == "normal" else self.effort

        def encode(setting: int, preset: str) -> Candidate:
            return self._encode(name, mode, float(setting), preset)

        def psnr_of(candidate: Candidate) -> float:
            return errors(signal, candidate.decoded())["psnr"]

        usual = int(mode.rounded(usual_setting(signal, mode, self.task_lambda(name, level))))
        coarse = range(max(usual - COARSE_RADIUS, 0), min(usual + COARSE_RADIUS, 100) + 1)
        near = bisect_left(coarse, psnr, key=lambda setting: psnr_of(encode(setting, "fast")))
        fine = coarse[max(near - FINE_BELOW, 0) : near + FINE_ABOVE]
        lowest = bisect_left(fine, psnr, key=lambda setting: psnr_of(encode(setting, preset)))
        candidates = [encode(fine[lowest], preset)] if lowest < len(fine) else []
        if lowest > 0:  # one setting lower fails, but at another speed it may do
            candidates += [encode(fine[lowest - 1], speed) for speed in ("medium", "best") if speed != preset]
        return [candidate for candidate in candidates if psnr_of(candidate) >= psnr]

    def _encode(self, name: str, mode: CodingMode, setting: float, preset: str) -> Candidate:
        """A classical candidate, encoded when it is first wanted."""
        key = (name, mode.name, setting, preset)
        if key not in self._classical:
            self._classical[key] = classical.encode(self.signals[name], mode, setting, preset)
        return self._classical[key]

    # --- all together ------------------------------------------------------------------------------------

    def encode_all(self, neural: NeuralCandidates | None, level: int) -> dict[str, list[Candidate]]:
        """The candidates of every task, those of networks first; none where all codecs fail it."""
        from_networks = {} if neural is None else neural.tasks
        rivals = self._classical_presets(neural, level)
        names = [name for name in self.signals if name not in from_networks or name in rivals]
        encoded = self._map(
            lambda name: self.encode_classical(name, level, rivals.get(name, "thorough")), names
        )
        from_classical = dict(zip(names, encoded))
        candidates: dict[str, list[Candidate]] = {}
        for name in self.signals:
            task_candidates = [from_networks[name]] if name in from_networks else []
            candidates[name] = task_candidates + from_classical.get(name, [])
        return candidates

    def _classical_presets(self, neural: NeuralCandidates | None, level: int) -> dict[str, str]:
        """The tasks of networks that get a classical candidate as well, and the preset that it is worth.

        Where drafts say that classical codecs clearly lose, there is none. Where they say that networks do,
        it is worth more time.
        """
        if neural is None or self.request.coding == "neural":
            return {}
        names = [name for name in neural.tasks if channels_supported(self.signals[name])]
        costs = dict(zip(names, self._map(lambda name: self.cost(name, neural.tasks[name], level), names)))
        drafts = {name: self.draft_cost(name, level) for name in names}
        optimistic = {name: self.optimistic_cost(name, drafts[name]) for name in names}
        # classical codecs may win all tasks together, as then nobody needs the shared section
        may_win_together = sum(optimistic.values()) < 8 * len(neural.shared or b"") + sum(costs.values())
        return {
            name: "thorough" if costs[name] > self.expected_cost(name, drafts[name]) else "medium"
            for name in names
            if may_win_together or optimistic[name] < costs[name] or self.effort == "best"
        }

    def _map(self, function: Callable[[str], R], names: Sequence[str]) -> list[R]:
        """For tasks side by side; one by one where images are large, as AV1 takes 40 bytes a pixel."""
        run_serially = any(signal.height * signal.width > CHUNK_PIXELS for signal in self.signals.values())
        return threads.parallel_map(function, names, serial=run_serially)
