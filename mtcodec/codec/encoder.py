"""A prepared scene to a file: candidates, mode decision, rate control; bytes are written once, last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mtcodec.codec import decision, rate
from mtcodec.codec.decision import Part
from mtcodec.codec.prepare import Prepared, prepare
from mtcodec.codec.request import Request
from mtcodec.coders import classical, exact, labels, neural
from mtcodec.coders.coded import Coded, attributes_of
from mtcodec.coders.neural import NeuralScene
from mtcodec.engine.networks import Networks
from mtcodec.errors import UsageError
from mtcodec.format import container, notes
from mtcodec.format.header import NO_WEIGHTS, Header
from mtcodec.format.quality import NETWORK_STEPS, from_step, lambda_of, to_step
from mtcodec.format.section import NOTES, SHARED, Attributes, Section, mask_name
from mtcodec.signal.holes import Holes
from mtcodec.signal.mapping import Array
from mtcodec.signal.measures import measure
from mtcodec.signal.signal import Signal

SMALL = 4096  # pixels up to which exact codings are tried for every task
SAMPLE = 128  # side of the part of a scene on which weights are compared
CLEAR = 1.25  # times the cost of the networks that a quick draft may have for a classical coding to be tried


@dataclass(frozen=True)
class Encoded:
    """A scene as it will be stored.

    Attributes:
        tasks: the coding of every task. masks: different places of holes, in order.
        neural: what networks made, None where no task needs them.
        quality: 0 to 100.
    """

    prepared: Prepared
    tasks: dict[str, Coded]
    masks: tuple[Holes, ...]
    mask_payloads: tuple[bytes, ...]
    neural: NeuralScene | None
    quality: float
    request: Request

    @cached_property
    def decoded(self) -> dict[str, Array]:
        """Images as decoding gives them."""
        return {name: coded.decoded for name, coded in self.tasks.items()}

    @cached_property
    def measures(self) -> dict[str, dict[str, float]]:
        """Measures of every task that is not kept exactly, see :func:`mtcodec.signal.measures.measure`."""
        own = self.prepared.originals
        return {n: measure(own[n], c.decoded) for n, c in self.tasks.items() if not own[n].task.exact}

    @property
    def psnr(self) -> dict[str, float]:
        """dB by task that is not kept exactly."""
        return {name: own["psnr"] for name, own in self.measures.items()}

    @cached_property
    def data(self) -> bytes:
        """The file."""
        payloads: dict[str, bytes] = {}
        sections: list[Section] = []

        def add(name: str, coding: str, payload: bytes, attributes: Attributes) -> None:
            sections.append(Section(name, coding, attributes))
            payloads[name] = payload

        if self.neural is not None and self.neural.shared is not None:
            add(SHARED, "neural", self.neural.shared, Attributes())
        for k, payload in enumerate(self.mask_payloads):
            add(mask_name(k), "labels", payload, Attributes("uint8", 1))
        for name, coded in self.tasks.items():
            holes = coded.form.holes
            mask = None
            if holes is not None:
                mask = next(k for k, other in enumerate(self.masks) if decision.same(holes, other))
            add(name, coded.coding, coded.payload, attributes_of(coded.form, coded.quality, mask))
        told = self._notes()
        if told:
            add(NOTES, "raw", notes.pack(told), Attributes())
        fingerprint, quality = NO_WEIGHTS, 0
        if self.neural is not None:
            fingerprint, quality = self.neural.networks.info.fingerprint, self.neural.quality
        size = self.prepared.height, self.prepared.width
        return container.build(Header(fingerprint, *size, quality, tuple(sections)), payloads)

    def _notes(self) -> dict[str, dict[str, float | str]]:
        told: dict[str, dict[str, float | str]] = {n: {"unit": u} for n, u in self.request.units.items()}
        if self.request.measures:
            for name, own in self.measures.items():
                told.setdefault(name, {}).update({k: float(f"{v:.5g}") for k, v in own.items()})
        return told


class SceneEncoder:
    """Encodes one scene at any quality; what does not depend on it is made once."""

    def __init__(self, prepared: Prepared, networks: Sequence[Networks], request: Request) -> None:
        self.prepared, self.request = prepared, request
        self.made: dict[tuple[str, str, int, float, str], Coded] = {}  # classical codings, by how they were made
        holes = [s.form.holes for s in prepared.signals.values() if s.form.holes is not None]
        holes += [c.form.holes for c in prepared.exact.values() if c.form.holes is not None]
        self.masks: list[Holes] = []
        for own in holes:
            if not any(decision.same(own, other) for other in self.masks):
                self.masks.append(own)
        self.mask_payloads = [labels.encode_mask(own.classes) for own in self.masks]
        self.small = prepared.height * prepared.width <= SMALL
        self.exact: dict[str, list[Coded]] = {}
        if self.small:
            self.exact = {name: [exact.encode(signal)] for name, signal in prepared.signals.items()}
        self.networks = self._choose(networks) if request.coding != "classical" else None

    def _known(self, networks: Networks) -> dict[str, Signal]:
        return {n: s for n, s in self.prepared.signals.items() if networks.knows(s.task)}

    def _choose(self, networks: Sequence[Networks]) -> Networks | None:
        """The networks that cost least, on a part in the middle of the scene."""
        able = [own for own in networks if self._known(own)]
        if len(able) <= 1:
            return able[0] if able else None
        most = max(len(self._known(own)) for own in able)
        able = [own for own in able if len(self._known(own)) == most]
        window = middle(self.prepared.height, self.prepared.width)
        step = to_step(self.request.quality)

        def cost(own: Networks) -> float:
            parts = {n: s.crop(window) for n, s in self._known(own).items()}
            made = neural.encode(own, parts, self._steps(own, step))
            lam = lambda_of(step)
            return 8 * len(made.shared or b"") + sum(
                c.bits + lam * parts[n].task.weight * c.error for n, c in made.tasks.items()
            )

        return min(able, key=cost)

    def _step(self, name: str, step: int) -> int:
        """Quality step of a task, if ``step`` is the scene's."""
        own = self.request.task_quality.get(name)
        return step if own is None else to_step(own)

    def _steps(self, networks: Networks, step: int) -> dict[str, int]:
        """Steps of the streams of ``networks``, which know no higher ones than they were trained for."""
        own = {SHARED: step} | {n: self._step(n, step) for n in networks.tasks}
        return {name: min(value, NETWORK_STEPS) for name, value in own.items()}

    def _lambda(self, name: str, step: int) -> float:
        """λ · weight of a task."""
        return float(lambda_of(self._step(name, step))) * self.prepared.signals[name].task.weight

    def at(self, step: int) -> Encoded:
        """The scene at a quality step."""
        made = None
        if self.networks is not None:
            known = self._known(self.networks)
            made = neural.encode(self.networks, known, self._steps(self.networks, step)) if known else None
        candidates = {name: list(self.exact.get(name, ())) for name in self.prepared.signals}
        if made is not None:
            for name, coded in made.tasks.items():
                candidates[name].append(coded)
        if self.request.coding != "neural" or made is None:
            for name in self._doubtful(made, step):
                candidates[name] += self._classical(name, step)
        for name, own in candidates.items():
            if not own and self.request.coding == "neural":
                own += self._classical(name, step)
            if not own:
                own.append(exact.encode(self.prepared.signals[name]))
        parts = self._parts(candidates, made)
        weights = {name: self._lambda(name, step) for name in candidates}
        chosen = decision.decide(candidates, weights, parts)
        return self._encoded(chosen, made, step)

    def _doubtful(self, made: NeuralScene | None, step: int) -> list[str]:
        """Tasks of which a classical coding may cost less than the networks', as quick drafts tell."""
        names = [n for n, s in self.prepared.signals.items() if classical.possible(s)]
        if made is None or self.request.effort == "best":
            return names
        drafts: dict[str, float] = {}
        costs: dict[str, float] = {}
        for name in names:
            if name not in made.tasks:
                continue
            lam = self._lambda(name, step)
            coded = self._classical(name, step, "draft")[0]
            drafts[name] = coded.bits + lam * coded.error
            costs[name] = made.tasks[name].bits + lam * made.tasks[name].error
        together = 8 * len(made.shared or b"") + sum(costs.values())
        all_leave = sum(drafts.values()) < CLEAR * together
        return [n for n in names if n not in drafts or all_leave or drafts[n] < CLEAR * costs[n]]

    def _classical(self, name: str, step: int, effort: str = "") -> list[Coded]:
        """Classical codings of a task, each made once."""
        lam, effort = self._lambda(name, step), effort or self.request.effort
        found = []
        for way, setting, own in classical.settings(self.prepared.signals[name], lam, effort):
            key = (name, way.codec, way.bits, setting, own)
            if key not in self.made:
                self.made[key] = classical.encode(self.prepared.signals[name], way, setting, own)
            found.append(self.made[key])
        return found

    def _parts(self, candidates: Mapping[str, Sequence[Coded]], made: NeuralScene | None) -> list[Part]:
        """The shared section and those of holes, with the candidates that read them."""
        keyed = [((name, i), coded) for name, own in candidates.items() for i, coded in enumerate(own)]
        parts = []
        if made is not None and made.shared is not None:
            readers = frozenset(key for key, coded in keyed if coded.shared)
            parts.append(Part(8 * len(made.shared), readers))
        for holes, payload in zip(self.masks, self.mask_payloads):
            readers = frozenset(
                k for k, c in keyed if c.form.holes is not None and decision.same(holes, c.form.holes)
            )
            if readers:
                parts.append(Part(8 * len(payload), readers))
        return parts

    def _encoded(self, chosen: Mapping[str, Coded], made: NeuralScene | None, step: int) -> Encoded:
        tasks = {n: chosen[n] if n in chosen else self.prepared.exact[n] for n in self.prepared.originals}
        used = [c.form.holes for c in tasks.values() if c.form.holes is not None]
        masks = [k for k, own in enumerate(self.masks) if any(decision.same(own, other) for other in used)]
        neural_tasks = any(coded.coding == "neural" for coded in tasks.values())
        if made is not None and made.shared is not None and not any(c.shared for c in tasks.values()):
            made = replace(made, shared=None)
        return Encoded(
            self.prepared, tasks, tuple(self.masks[k] for k in masks),
            tuple(self.mask_payloads[k] for k in masks), made if neural_tasks else None, from_step(step),
            self.request,
        )  # fmt: skip


def middle(height: int, width: int) -> tuple[slice, slice]:
    """The window in the middle of a scene on which weights are compared."""
    top, left = max(0, (height - SAMPLE) // 2), max(0, (width - SAMPLE) // 2)
    return slice(top, top + SAMPLE), slice(left, left + SAMPLE)


def encode(scene: Mapping[str, object], networks: Sequence[Networks], request: Request) -> Encoded:
    """Encode a scene with whichever of ``networks`` suits it best.

    Raises:
        SceneError: the scene is not what its tasks declare. UsageError: the request does not fit it.
        TargetError: no quality reaches the target.
    """
    prepared = prepare(scene, request)
    if request.coding == "neural" and prepared.signals:
        for own in networks:
            for name in request.task_quality:
                if name in own.tasks and name not in own.graph.streams:
                    raise UsageError(f"weights {own.info.name!r} have one quality for all tasks")
    encoder = SceneEncoder(prepared, networks, request)
    return rate.control(encoder.at, request)
