"""A scene to a file: prepare, candidates, mode decision, rate control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mtcodec.codec import rate
from mtcodec.codec.candidates import Candidates
from mtcodec.codec.decision import NeededSection, decide
from mtcodec.codec.encoded import EncodedScene, MaskSection
from mtcodec.codec.prepare import Prepared, prepare
from mtcodec.codec.request import Request
from mtcodec.codec.weights_choice import networks_for_scene
from mtcodec.coders import bounded
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import UsageError
from mtcodec.quality import MAX_LEVEL, from_level
from mtcodec.signals.holes import Holes

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates
    from mtcodec.networks.engine import Networks

NEVER = MAX_LEVEL + 1  # a level that no scene has


@dataclass(frozen=True)
class Fixed:
    """What of a scene does not depend on the quality.

    Attributes:
        bounded: candidates of the tasks that are kept exactly or within a bound.
        masks: of holes, each once. mask_of: which of them a task's holes are, by task.
    """

    bounded: dict[str, Candidate]
    masks: list[MaskSection]
    mask_of: dict[str, int]


def encode_fixed(prepared: Prepared, request: Request) -> Fixed:
    """Encode tasks with bounds, and masks of holes; tasks with holes in the same places share one."""
    with_bounds = {
        name: bounded.encode(prepared.signals[name], bound, request.effort)
        for name, bound in prepared.bounds.items()
    }
    pixel_formats = {name: signal.pixel_format for name, signal in prepared.lossy().items()}
    pixel_formats |= {name: candidate.pixel_format for name, candidate in with_bounds.items()}
    distinct: list[Holes] = []
    mask_of: dict[str, int] = {}
    for name, pixel_format in pixel_formats.items():
        if pixel_format.holes is None:
            continue
        same = (index for index, holes in enumerate(distinct) if holes.same(pixel_format.holes))
        mask_of[name] = next(same, len(distinct))
        if mask_of[name] == len(distinct):
            distinct.append(pixel_format.holes)
    return Fixed(with_bounds, [MaskSection.encode(holes) for holes in distinct], mask_of)


class SceneEncoder:
    """Encodes one scene at any quality level.

    Args:
        effort: of classical codecs, if other than the request's.
    """

    def __init__(
        self,
        prepared: Prepared,
        networks: Sequence[Networks],
        request: Request,
        fixed: Fixed,
        effort: str = "",
    ) -> None:
        self.prepared, self.networks, self.request, self.fixed = prepared, networks, request, fixed
        self.candidates = Candidates(prepared.lossy(), request, effort)
        self.networks_lose_from = NEVER  # the level at which networks last were found to lose everywhere

    def at(self, level: int) -> EncodedScene:
        """The scene at a quality level. Networks are not compared again above a level at which they lost."""
        networks = None
        if level < self.networks_lose_from:
            networks = networks_for_scene(self.prepared.lossy(), self.networks, self.request, level)
            self.networks_lose_from = level if networks is None else NEVER
        neural = None if networks is None else self.candidates.neural(networks, level)
        candidates = self.candidates.by_task(neural, level)
        lambda_weights = {name: self.candidates.lambda_weight(name, level) for name in candidates}
        chosen = decide(candidates, lambda_weights, self._needed_sections(candidates, neural))
        return self._encoded(chosen, neural, level)

    def quick(self) -> SceneEncoder:
        """The same with quicker encodings: their PSNR and bytes are nearly right."""
        return SceneEncoder(self.prepared, self.networks, self.request, self.fixed, "fast")

    def refined(self, encoded: EncodedScene, level: int) -> EncodedScene:
        """``encoded``, which reaches its PSNRs at ``level``, with smaller classical candidates that do so."""
        for name, psnr in self.request.target_psnr.items():
            for candidate in self.candidates.reaching(name, psnr, level):
                trial = self._encoded({**encoded.candidates, name: candidate}, encoded.neural, level)
                if len(trial.to_bytes()) < len(encoded.to_bytes()):
                    encoded = trial
        return encoded

    def _needed_sections(
        self, candidates: Mapping[str, Sequence[Candidate]], neural: NeuralCandidates | None
    ) -> list[NeededSection]:
        """The shared section and masks of holes, with the candidates that read them."""
        keyed = [((name, i), one) for name, of_task in candidates.items() for i, one in enumerate(of_task)]
        sections = []
        if neural is not None and neural.shared is not None:
            users = frozenset(key for key, candidate in keyed if candidate.uses_shared)
            sections.append(NeededSection(8 * len(neural.shared), users))
        for index, mask in enumerate(self.fixed.masks):
            users = frozenset(
                key
                for key, candidate in keyed
                if candidate.pixel_format.holes is not None and self.fixed.mask_of[key[0]] == index
            )
            sections.append(NeededSection(8 * len(mask.smallest), users))
        return [section for section in sections if section.users]

    def _encoded(
        self, chosen: Mapping[str, Candidate], neural: NeuralCandidates | None, level: int
    ) -> EncodedScene:
        """The scene with these candidates of lossy tasks; what networks made only as far as it is read."""
        every = {**self.fixed.bounded, **chosen}
        candidates = {name: every[name] for name in self.prepared.signals}
        if neural is not None and not any(candidate.uses_shared for candidate in candidates.values()):
            neural = replace(neural, shared=None)
        if not any(candidate.coding == "neural" for candidate in candidates.values()):
            neural = None
        masks, mask_of = self.fixed.masks, self.fixed.mask_of
        return EncodedScene(
            self.prepared, candidates, masks, mask_of, neural, from_level(level), self.request
        )


def encode(scene: Mapping[str, Any], networks: Sequence[Networks], request: Request) -> EncodedScene:
    """Encode a scene with whichever of ``networks`` suits it best.

    Raises:
        SceneError: the scene is not what its tasks declare. UsageError: the request does not fit it.
        TargetError: no quality reaches the target.
    """
    prepared = prepare(scene, request)
    for one in networks:
        for name in request.task_quality:
            if name in one.tasks and name not in one.graph.streams:
                raise UsageError(f"weights {one.info.name!r} have one quality for all tasks", task=name)
    encoder = SceneEncoder(prepared, networks, request, encode_fixed(prepared, request))
    return rate.control(encoder, request)
