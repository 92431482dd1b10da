"""A scene to a file: prepare, candidates, mode decision, rate control; bytes are written once, last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtcodec.codec import rate
from mtcodec.codec.candidates import Candidates, choose
from mtcodec.codec.decision import Part, decide
from mtcodec.codec.encoded import Encoded, MaskSection
from mtcodec.codec.prepare import Prepared, prepare
from mtcodec.codec.request import Request
from mtcodec.coders import labels
from mtcodec.coders.candidate import Coded
from mtcodec.errors import UsageError
from mtcodec.quality import STEPS, from_step

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralScene
    from mtcodec.networks.engine import Networks


class SceneEncoder:
    """Encodes one scene at any quality; what does not depend on it is made once."""

    def __init__(
        self, prepared: Prepared, networks: Sequence[Networks], request: Request, effort: str = ""
    ) -> None:
        self.prepared, self.networks, self.request = prepared, networks, request
        self.candidates = Candidates(prepared.signals, request, effort)
        self.hopeless = STEPS + 1  # from this quality on, networks have been found to cost clearly more
        self.masks: list[MaskSection] = []
        forms = [signal.form for signal in prepared.signals.values()]
        for form in (*forms, *(coded.form for coded in prepared.exact.values())):
            own = form.holes
            if own is not None and not any(mask.holes.same(own) for mask in self.masks):
                small = labels.encode_mask(own.classes)
                self.masks.append(MaskSection(own, small, labels.encode_mask_quick(own.classes, small)))

    def at(self, step: int) -> Encoded:
        """The scene at a quality step."""
        networks = None
        if step < self.hopeless:
            networks = choose(self.prepared.signals, self.networks, self.request, step)
            self.hopeless = STEPS + 1 if networks is not None else step
        made = None if networks is None else self.candidates.neural(networks, step)
        found = self.candidates.all(made, step)
        weights = {name: self.candidates.weight(name, step) for name in found}
        return self._encoded(decide(found, weights, self._parts(found, made)), made, step)

    def quick(self) -> SceneEncoder:
        """The same with quicker encodings: their PSNR and bytes are nearly right."""
        return SceneEncoder(self.prepared, self.networks, self.request, "fast")

    def refined(self, found: Encoded, step: int) -> Encoded:
        """``found``, which reaches its PSNRs at ``step``, with smaller classical codings that do so too."""
        for name, psnr in self.request.target_psnr.items():
            for coded in self.candidates.reaching(name, psnr, step):
                other = self._encoded({**found.tasks, name: coded}, found.neural, step)
                if len(other.data) < len(found.data):
                    found = other
        return found

    def _parts(self, found: Mapping[str, Sequence[Coded]], made: NeuralScene | None) -> list[Part]:
        """The shared section and those of holes, with the candidates that read them."""
        keyed = [((name, i), coded) for name, own in found.items() for i, coded in enumerate(own)]
        parts = []
        if made is not None and made.shared is not None:
            parts.append(Part(8 * len(made.shared), frozenset(key for key, c in keyed if c.shared)))
        for mask in self.masks:
            readers = frozenset(
                key for key, c in keyed if c.form.holes is not None and mask.holes.same(c.form.holes)
            )
            parts.append(Part(8 * len(mask.small), readers))
        return [part for part in parts if part.readers]

    def _encoded(self, chosen: Mapping[str, Coded], made: NeuralScene | None, step: int) -> Encoded:
        own = self.prepared
        tasks = {name: chosen[name] if name in chosen else own.exact[name] for name in own.originals}
        holes = [coded.form.holes for coded in tasks.values() if coded.form.holes is not None]
        masks = [mask for mask in self.masks if any(mask.holes.same(other) for other in holes)]
        if made is not None and not any(coded.shared for coded in tasks.values()):
            made = replace(made, shared=None)
        neural = any(coded.coding == "neural" for coded in tasks.values())
        return Encoded(own, tasks, masks, made if neural else None, from_step(step), self.request)


def encode(scene: Mapping[str, Any], networks: Sequence[Networks], request: Request) -> Encoded:
    """Encode a scene with whichever of ``networks`` suits it best.

    Raises:
        SceneError: the scene is not what its tasks declare. UsageError: the request does not fit it.
        TargetError: no quality reaches the target.
    """
    prepared = prepare(scene, request)
    for own in networks:
        for name in request.task_quality:
            if name in own.tasks and name not in own.graph.streams:
                raise UsageError(f"weights {own.info.name!r} have one quality for all tasks", task=name)
    return rate.control(SceneEncoder(prepared, networks, request), request)
