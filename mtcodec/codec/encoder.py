"""A scene to a file: prepare, candidates, mode decision, rate control; bytes are written once, last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtcodec.codec import rate
from mtcodec.codec.candidates import Candidates, choose
from mtcodec.codec.decision import Part, decide
from mtcodec.codec.encoded import EncodedScene, MaskSection
from mtcodec.codec.prepare import Prepared, prepare
from mtcodec.codec.request import Request
from mtcodec.coders import labels
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import UsageError
from mtcodec.quality import MAX_LEVEL, from_level

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates
    from mtcodec.networks.engine import Networks


class SceneEncoder:
    """Encodes one scene at any quality; what does not depend on it is made once."""

    def __init__(
        self, prepared: Prepared, networks: Sequence[Networks], request: Request, effort: str = ""
    ) -> None:
        self.prepared, self.networks, self.request = prepared, networks, request
        self.candidates = Candidates(prepared.signals, request, effort)
        self.hopeless = MAX_LEVEL + 1  # from this quality on, networks have been found to cost clearly more
        self.masks: list[MaskSection] = []
        pixel_formats = [signal.pixel_format for signal in prepared.signals.values()]
        for pixel_format in (*pixel_formats, *(coded.pixel_format for coded in prepared.exact.values())):
            own = pixel_format.holes
            if own is not None and not any(mask.holes.same(own) for mask in self.masks):
                small = labels.encode_mask(own.mask)
                self.masks.append(MaskSection(own, small, labels.encode_mask_quick(own.mask, small)))

    def at(self, step: int) -> EncodedScene:
        """The scene at a quality step."""
        networks = None
        if step < self.hopeless:
            networks = choose(self.prepared.signals, self.networks, self.request, step)
            self.hopeless = MAX_LEVEL + 1 if networks is not None else step
        made = None if networks is None else self.candidates.neural(networks, step)
        found = self.candidates.all(made, step)
        weights = {name: self.candidates.weight(name, step) for name in found}
        return self._encoded(decide(found, weights, self._parts(found, made)), made, step)

    def quick(self) -> SceneEncoder:
        """The same with quicker encodings: their PSNR and bytes are nearly right."""
        return SceneEncoder(self.prepared, self.networks, self.request, "fast")

    def refined(self, found: EncodedScene, step: int) -> EncodedScene:
        """``found``, which reaches its PSNRs at ``step``, with smaller classical codings that do so too."""
        for name, psnr in self.request.target_psnr.items():
            for coded in self.candidates.reaching(name, psnr, step):
                other = self._encoded({**found.tasks, name: coded}, found.neural, step)
                if len(other.to_bytes()) < len(found.to_bytes()):
                    found = other
        return found

    def _parts(self, found: Mapping[str, Sequence[Candidate]], made: NeuralCandidates | None) -> list[Part]:
        """The shared section and those of holes, with the candidates that read them."""
        keyed = [((name, i), coded) for name, own in found.items() for i, coded in enumerate(own)]
        parts = []
        if made is not None and made.shared is not None:
            parts.append(Part(8 * len(made.shared), frozenset(key for key, c in keyed if c.shared)))
        for mask in self.masks:
            readers = frozenset(
                key
                for key, c in keyed
                if c.pixel_format.holes is not None and mask.holes.same(c.pixel_format.holes)
            )
            parts.append(Part(8 * len(mask.small), readers))
        return [part for part in parts if part.readers]

    def _encoded(
        self, chosen: Mapping[str, Candidate], made: NeuralCandidates | None, step: int
    ) -> EncodedScene:
        own = self.prepared
        tasks = {name: chosen[name] if name in chosen else own.exact[name] for name in own.originals}
        holes = [coded.pixel_format.holes for coded in tasks.values() if coded.pixel_format.holes is not None]
        masks = [mask for mask in self.masks if any(mask.holes.same(other) for other in holes)]
        if made is not None and not any(coded.shared for coded in tasks.values()):
            made = replace(made, shared=None)
        neural = any(coded.coding == "neural" for coded in tasks.values())
        return EncodedScene(own, tasks, masks, made if neural else None, from_level(step), self.request)


def encode(scene: Mapping[str, Any], networks: Sequence[Networks], request: Request) -> EncodedScene:
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
