"""Candidates: the codings of a scene's tasks that are worth making at a quality, each made once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mtcodec import threads
from mtcodec.codec.request import Request
from mtcodec.coders import classical
from mtcodec.coders import near_lossless as exact
from mtcodec.coders.candidate import Candidate
from mtcodec.coders.classical import CodingMode
from mtcodec.container.section import SHARED
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of, to_level
from mtcodec.signals.mapping import CHUNK_PIXELS
from mtcodec.signals.measures import errors
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates
    from mtcodec.networks.engine import Networks

R = TypeVar("R")
SMALL = 4096  # pixels up to which exact codings are tried for every task
SAMPLE = 128, 256  # shortest and longest side of the part of a scene on which weights are compared
DRAFT = {"color": (1.24, 1.44), "depth": (1.49, 1.77), "vectors": (1.41, 1.68)}
"""By column of settings: so many times the cost of a thorough encoding has a quick draft, in the mean of 10
to 18 pictures at four qualities, and as a rule at most (1.5 standard deviations of the logarithm more)."""
NEAR = 16  # settings of AV1 on both sides in which one that just reaches a PSNR is looked for,
CLOSE = 12, 3  # and below and above what quick encodings tell, of up to 0.9 dB less
QUICK = 1 << 17  # pixels up to which networks take no longer than finding out that they are hopeless
HOPELESS = 1.2  # times what a thorough encoding is expected to cost: the most that networks may on a sample


class Candidates:
    """Codings of signals; networks are given, as several may be compared."""

    def __init__(self, signals: Mapping[str, Signal], request: Request, effort: str = "") -> None:
        self.signals, self.request, self.effort = signals, request, effort or request.effort
        self._made: dict[tuple[str, str, float, str], Candidate] = {}  # classical ones, by how they are made
        some = next(iter(signals.values()), None)
        small = some is not None and some.height * some.width <= SMALL and request.coding != "neural"
        self._exact = (
            {name: exact.encode(own, 0.0, request.effort) for name, own in signals.items()} if small else {}
        )

    def _each(self, function: Callable[[str], R], names: Sequence[str]) -> list[R]:
        """For all tasks, side by side; one by one where images are large, as AV1 takes 40 bytes a pixel."""
        large = any(signal.height * signal.width > CHUNK_PIXELS for signal in self.signals.values())
        return threads.parallel_map(function, names, large)

    # --- costs ---------------------------------------------------------------------------------------

    def step(self, name: str, step: int) -> int:
        """Quality step of a task, if ``step`` is the scene's."""
        own = self.request.task_quality.get(name)
        return step if own is None else to_level(own)

    def weight(self, name: str, step: int) -> float:
        """λ · weight of a task: what a unit of its squared error costs in bits."""
        return float(lambda_of(self.step(name, step))) * self.signals[name].task.weight

    def cost(self, name: str, coded: Candidate, step: int) -> float:
        """Bits + λ · weight · error."""
        return coded.bits + self.weight(name, step) * coded.error

    def usual(self, name: str) -> float:
        """So many times the cost of a thorough encoding has a draft of the task in the mean."""
        return DRAFT[self.signals[name].task.kind.rd_table][0]

    # --- coders --------------------------------------------------------------------------------------

    def known(self, networks: Networks) -> dict[str, Signal]:
        """The signals that networks can code."""
        return {name: signal for name, signal in self.signals.items() if networks.knows(signal.task)}

    def neural(self, networks: Networks, step: int) -> NeuralCandidates:
        """What networks make of the tasks they know; they know no higher qualities than they were trained
        for.
        """
        from mtcodec.coders import neural  # needs onnxruntime

        steps = {SHARED: step} | {name: self.step(name, step) for name in networks.tasks}
        steps = {name: min(own, MAX_NETWORK_LEVEL) for name, own in steps.items()}
        return neural.encode(networks, self.known(networks), steps)

    def drafts(self, name: str, step: int) -> list[tuple[CodingMode, float]]:
        """The ways of classical codecs worth trying for a task, with their costs at the quickest speed."""
        signal, weight = self.signals[name], self.weight(name, step)
        found = []
        for way in classical.ways(signal, "draft"):
            (setting,) = classical.settings(signal, way, weight, "draft")
            found.append((way, self.cost(name, self._make(name, way, setting, "draft"), step)))
        return found

    def classical(self, name: str, step: int, effort: str = "thorough") -> list[Candidate]:
        """Classical codings of a task: in the way that drafts find best, or all that are worth trying.

        ``effort`` is what the usual one of requests, ``normal``, means for this task.
        """
        signal, weight = self.signals[name], self.weight(name, step)
        effort = effort if self.effort == "normal" else self.effort
        if not classical.possible(signal):
            return []
        ways = classical.ways(signal, effort)
        if effort != "best" and len(ways) > 1:
            ways = [min(self.drafts(name, step), key=lambda pair: pair[1])[0]]
        return [
            self._make(name, way, setting, effort)
            for way in ways
            for setting in classical.settings(signal, way, weight, effort)
        ]

    def reaching(self, name: str, psnr: float, around: int) -> list[Candidate]:
        """Classical codings of a task that just reach a PSNR in dB, one of every way that can.

        Settings of codecs are coarser than λ; this is for targets. Quick encodings, whose PSNR is nearly
        right, tell where to look, and other speeds at a setting that just fails may do. ``around`` is a
        step near the target.
        """
        signal, found = self.signals[name], []
        effort = "thorough" if self.effort == "normal" else self.effort
        for way in classical.ways(signal, "best"):
            if way.codec != "av1" or not classical.possible(signal):
                continue

            def reached(setting: int, effort: str, way: CodingMode = way) -> float:
                coded = self._make(name, way, way.round(setting), effort)
                return errors(signal, coded.decoded)["psnr"]

            middle = int(classical.settings(signal, way, self.weight(name, around), "draft")[0])
            near = range(max(middle - NEAR, 0), min(middle + NEAR, 100) + 1)
            quick = bisect_left(near, psnr, key=partial(reached, effort="fast"))
            close = near[max(quick - CLOSE[0], 0) : quick + CLOSE[1]]
            first = bisect_left(close, psnr, key=partial(reached, effort=effort))
            tried = [(close[first], effort)] if first < len(close) else []
            tried += [(close[first - 1], own) for own in ("normal", "best") if first and own != effort]
            found += [
                self._make(name, way, way.round(setting), own)
                for setting, own in tried
                if reached(setting, own) >= psnr
            ]
        return found

    def _make(self, name: str, way: CodingMode, setting: float, effort: str) -> Candidate:
        key = (name, way.name, setting, effort)
        if key not in self._made:
            self._made[key] = classical.encode(self.signals[name], way, setting, effort)
        return self._made[key]

    # --- all together --------------------------------------------------------------------------------

    def all(self, made: NeuralCandidates | None, step: int) -> dict[str, list[Candidate]]:
        """The candidates of every task, ``made`` among them; at least one each."""
        found: dict[str, list[Candidate]] = {}
        tasks = made.tasks if made is not None else {}
        efforts = self._efforts(made, step)
        wanted = [name for name in self.signals if name not in tasks or name in efforts]
        classical = self._each(lambda n: self.classical(n, step, efforts.get(n, "thorough")), wanted)
        made_of = dict(zip(wanted, classical))
        for name, signal in self.signals.items():
            own = [tasks[name]] if name in tasks else []
            own += made_of.get(name, [])
            if name in self._exact:
                own.append(self._exact[name])
            found[name] = own or [exact.encode(signal, 0.0, self.request.effort)]
        return found

    def _efforts(self, made: NeuralCandidates | None, step: int) -> dict[str, str]:
        """For tasks of networks, the effort that a classical coding is worth; none where it clearly loses.

        Where networks cost more than a draft makes expect of it, it is worth more time.
        """
        if made is None or self.request.coding == "neural":
            return {}
        names = [name for name in made.tasks if classical.possible(self.signals[name])]
        costs = dict(zip(names, self._each(lambda n: self.cost(n, made.tasks[n], step), names)))
        drafts = {name: min(cost for _, cost in self.drafts(name, step)) for name in names}
        hopes = {name: drafts[name] / DRAFT[self.signals[name].task.kind.rd_table][1] for name in names}
        all_leave = sum(hopes.values()) < 8 * len(made.shared or b"") + sum(costs.values())
        return {
            name: "thorough" if costs[name] > drafts[name] / self.usual(name) else "normal"
            for name in names
            if all_leave or hopes[name] < costs[name] or self.effort == "best"
        }


def choose(
    signals: Mapping[str, Signal], networks: Sequence[Networks], request: Request, step: int
) -> Networks | None:
    """Of networks that know most tasks, those that cost least on a part in the middle of the scene.

    None where none is able, where drafts of classical codecs cost clearly less for every task, or where all
    qualities are beyond those that networks know.
    """
    if request.coding == "classical" or not signals:
        return None
    whole = Candidates(signals, request)
    if request.coding == "auto" and min(whole.step(name, step) for name in signals) > MAX_NETWORK_LEVEL:
        return None
    most = max((len(whole.known(own)) for own in networks), default=0)
    able = [own for own in networks if most and len(whole.known(own)) == most]
    if not able or (len(able) == 1 and request.coding == "neural"):
        return able[0] if able else None
    sample = _sample(signals, request)

    def tried(own: Networks) -> tuple[NeuralCandidates, dict[str, float]]:
        made = sample.neural(own, step)
        return made, {name: sample.cost(name, coded, step) for name, coded in made.tasks.items()}

    made, costs = (dict(enumerate(own)) for own in zip(*threads.parallel_map(tried, able)))
    best = min(costs, key=lambda i: 8 * len(made[i].shared or b"") + sum(costs[i].values()))
    pixels = max(signal.height * signal.width for signal in signals.values())
    if request.coding == "neural" or request.effort == "best" or pixels <= QUICK:
        return able[best]
    possible = all(classical.possible(sample.signals[name]) for name in costs[best])
    hopeless = possible and all(
        cost > HOPELESS * min(draft for _, draft in sample.drafts(name, step)) / sample.usual(name)
        for name, cost in costs[best].items()
    )
    return None if hopeless else able[best]


def _sample(signals: Mapping[str, Signal], request: Request) -> Candidates:
    """Candidates of a part in the middle, of a quarter of the area within limits."""
    some = next(iter(signals.values()))
    window = []
    for size in (some.height, some.width):
        side = min(max(size // 2, SAMPLE[0]), SAMPLE[1])
        start = max(0, (size - side) // 2)
        window.append(slice(start, start + side))
    return Candidates({name: s.crop((window[0], window[1])) for name, s in signals.items()}, request)
