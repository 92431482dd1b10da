"""Candidates of a scene's lossy tasks that are worth weighing at a quality; each is encoded once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mtcodec import threads
from mtcodec.codec.request import Request
from mtcodec.coders import bounded, classical
from mtcodec.coders.candidate import Candidate
from mtcodec.coders.coding_modes import (
    CodingMode,
    modes_for,
    settings_worth_trying,
    takes_channels,
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
MAX_LOSSLESS_PIXELS = 4096  # of a scene up to which storing exactly is weighed for every task
DRAFT_COST = {"color": (1.24, 1.44), "depth": (1.49, 1.77), "vectors": (1.41, 1.68)}
"""By the names of :attr:`mtcodec.tasks.Kind.rd_table`: the cost of a draft over that of a thorough encoding,
in the mean of 10 to 18 pictures at four qualities, and as a rule at most (1.5 standard deviations of the
logarithm more)."""
COARSE_RADIUS = 16  # AV1 settings on both sides of the usual one in which quick encodings look for a PSNR
FINE_BELOW, FINE_ABOVE = 12, 3  # settings around what they find: they have up to 0.9 dB less


class Candidates:
    """Makes candidates of signals; what has been encoded is kept.

    Args:
        signals: of the tasks that may have losses, by name; all of one size.
        effort: of classical codecs, if other than the request's.
    """

    def __init__(self, signals: Mapping[str, Signal], request: Request, effort: str = "") -> None:
        self.signals, self.request, self.effort = signals, request, effort or request.effort
        self._classical: dict[tuple[str, str, float, str], Candidate] = {}  # by task, mode, setting, effort
        self._lossless: dict[str, Candidate] = {}

    # --- costs -------------------------------------------------------------------------------------------

    def task_level(self, name: str, level: int) -> int:
        """The quality level of a task, if ``level`` is the scene's."""
        quality = self.request.task_quality.get(name)
        return level if quality is None else to_level(quality)

    def lambda_weight(self, name: str, level: int) -> float:
        """λ · weight of a task: what a unit of its squared error costs in bits."""
        return float(lambda_of(self.task_level(name, level))) * self.signals[name].task.weight

    def cost(self, name: str, candidate: Candidate, level: int) -> float:
        """Bits + λ · weight · squared error."""
        return candidate.bits + self.lambda_weight(name, level) * candidate.squared_error()

    def expected_cost(self, name: str, draft_cost: float) -> float:
        """The cost of a thorough encoding that a draft of this cost makes expect, in the mean."""
        return draft_cost / DRAFT_COST[self.signals[name].task.kind.rd_table][0]

    def least_cost(self, name: str, draft_cost: float) -> float:
        """The cost that a thorough encoding hardly ever goes below, where a draft has this one."""
        return draft_cost / DRAFT_COST[self.signals[name].task.kind.rd_table][1]

    # --- single candidates -------------------------------------------------------------------------------

    def known_to(self, networks: Networks) -> dict[str, Signal]:
        """The signals that networks can code."""
        return {name: signal for name, signal in self.signals.items() if networks.knows(signal.task)}

    def neural(self, networks: Networks, level: int) -> NeuralCandidates:
        """What networks make of the tasks they know, at no higher level than they were trained for."""
        from mtcodec.coders import neural  # needs onnxruntime

        levels = {SHARED: level} | {name: self.task_level(name, level) for name in networks.tasks}
        levels = {name: min(of_task, MAX_NETWORK_LEVEL) for name, of_task in levels.items()}
        return neural.encode(networks, self.known_to(networks), levels)

    def lossless(self, name: str) -> Candidate:
        """The smallest candidate that changes nothing."""
        if name not in self._lossless:
            self._lossless[name] = bounded.encode(self.signals[name], 0.0, self.request.effort)
        return self._lossless[name]

    def drafts(self, name: str, level: int) -> list[tuple[CodingMode, float]]:
        """The coding modes worth trying for a task, with their costs at the quickest speed."""
        signal, lambda_weight = self.signals[name], self.lambda_weight(name, level)
        pairs = []
        for mode in modes_for(signal, "draft"):
            setting = mode.rounded(usual_setting(signal, mode, lambda_weight))
            draft = self._encode(name, mode, setting, "draft")
            pairs.append((mode, self.cost(name, draft, level)))
        return pairs

    def draft_cost(self, name: str, level: int) -> float:
        """The least cost of a task's drafts."""
        return min(cost for _, cost in self.drafts(name, level))

    def classical(self, name: str, level: int, normal_effort: str = "thorough") -> list[Candidate]:
        """Candidates of classical codecs: in the mode that drafts find best, or in all that are worth trying.

        Args:
            normal_effort: what the effort ``normal`` of a request means for this task.
        """
        signal = self.signals[name]
        if not takes_channels(signal):
            return []
        effort = normal_effort if self.effort == "normal" else self.effort
        modes = modes_for(signal, effort)
        if effort != "best" and len(modes) > 1:
            modes = [min(self.drafts(name, level), key=lambda pair: pair[1])[0]]
        lambda_weight = self.lambda_weight(name, level)
        return [
            self._encode(name, mode, setting, effort)
            for mode in modes
            for setting in settings_worth_trying(signal, mode, lambda_weight, effort)
        ]

    def reaching(self, name: str, psnr: float, level: int) -> list[Candidate]:
        """AV1 encodings of a task that just reach a PSNR in dB, of every mode that can; for targets.

        AV1's settings are coarser than λ. ``level`` is one near the target.
        """
        signal = self.signals[name]
        modes = modes_for(signal, "best") if takes_channels(signal) else []
        av1_modes = (mode for mode in modes if mode.codec == "av1")
        return [candidate for mode in av1_modes for candidate in self._reaching(name, mode, psnr, level)]

    def _reaching(self, name: str, mode: CodingMode, psnr: float, level: int) -> list[Candidate]:
        """The same in one mode: quick encodings, whose PSNR is nearly right, tell where to look."""
        signal = self.signals[name]
        effort = "thorough" if self.effort == "normal" else self.effort

        def psnr_at(setting: int, effort: str) -> float:
            return errors(signal, self._encode(name, mode, float(setting), effort).decoded())["psnr"]

        usual = int(mode.rounded(usual_setting(signal, mode, self.lambda_weight(name, level))))
        coarse = range(max(usual - COARSE_RADIUS, 0), min(usual + COARSE_RADIUS, 100) + 1)
        reached_quickly = bisect_left(coarse, psnr, key=partial(psnr_at, effort="fast"))
        fine = coarse[max(reached_quickly - FINE_BELOW, 0) : reached_quickly + FINE_ABOVE]
        reached = bisect_left(fine, psnr, key=partial(psnr_at, effort=effort))
        trials = [(fine[reached], effort)] if reached < len(fine) else []
        if reached:  # other speeds may do at a setting that just fails
            trials += [(fine[reached - 1], slower) for slower in ("normal", "best") if slower != effort]
        return [
            self._encode(name, mode, float(setting), used)
            for setting, used in trials
            if psnr_at(setting, used) >= psnr
        ]

    def _encode(self, name: str, mode: CodingMode, setting: float, effort: str) -> Candidate:
        """A classical candidate, encoded when it is first wanted."""
        key = (name, mode.name, setting, effort)
        if key not in self._classical:
            self._classical[key] = classical.encode(self.signals[name], mode, setting, effort)
        return self._classical[key]

    # --- all together ------------------------------------------------------------------------------------

    def by_task(self, neural: NeuralCandidates | None, level: int) -> dict[str, list[Candidate]]:
        """The candidates of every task, at least one each, those of networks first."""
        from_networks = {} if neural is None else neural.tasks
        efforts = self._classical_efforts(neural, level)
        names = [name for name in self.signals if name not in from_networks or name in efforts]
        encoded = self._map(lambda name: self.classical(name, level, efforts.get(name, "thorough")), names)
        from_classical = dict(zip(names, encoded))
        candidates: dict[str, list[Candidate]] = {}
        for name, signal in self.signals.items():
            of_task = [from_networks[name]] if name in from_networks else []
            of_task += from_classical.get(name, [])
            is_small = signal.height * signal.width <= MAX_LOSSLESS_PIXELS
            if not of_task or (is_small and self.request.coding != "neural"):
                of_task.append(self.lossless(name))
            candidates[name] = of_task
        return candidates

    def _classical_efforts(self, neural: NeuralCandidates | None, level: int) -> dict[str, str]:
        """For tasks that networks code, the effort that a classical candidate is worth.

        A task is left out where drafts say that classical codecs clearly lose. Where they say that networks
        do, the classical candidate is worth more time.
        """
        if neural is None or self.request.coding == "neural":
            return {}
        names = [name for name in neural.tasks if takes_channels(self.signals[name])]
        costs = dict(zip(names, self._map(lambda name: self.cost(name, neural.tasks[name], level), names)))
        drafts = {name: self.draft_cost(name, level) for name in names}
        least_costs = {name: self.least_cost(name, drafts[name]) for name in names}
        # classical codecs may win all tasks together, as then nobody needs the shared section
        all_may_win = sum(least_costs.values()) < 8 * len(neural.shared or b"") + sum(costs.values())
        return {
            name: "thorough" if costs[name] > self.expected_cost(name, drafts[name]) else "normal"
            for name in names
            if all_may_win or least_costs[name] < costs[name] or self.effort == "best"
        }

    def _map(self, function: Callable[[str], R], names: Sequence[str]) -> list[R]:
        """For tasks side by side; one by one where images are large, as AV1 takes 40 bytes a pixel."""
        is_large = any(signal.height * signal.width > CHUNK_PIXELS for signal in self.signals.values())
        return threads.parallel_map(function, names, serial=is_large)
