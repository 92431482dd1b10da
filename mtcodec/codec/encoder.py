"""A scene to a file: prepare, candidates, mode decision, rate control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mtcodec.codec import rate
from mtcodec.codec.candidates import CandidateEncoder
from mtcodec.codec.decision import Dependency, decide
from mtcodec.codec.encoded import EncodedScene
from mtcodec.codec.prepare import Prepared, prepare
from mtcodec.codec.request import Request
from mtcodec.codec.weights_choice import networks_for_scene
from mtcodec.coders import bounded
from mtcodec.coders.candidate import Candidate
from mtcodec.coders.masks import MaskPayloads
from mtcodec.errors import UsageError
from mtcodec.quality import MAX_LEVEL, from_level
from mtcodec.signals.holes import Holes

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates
    from mtcodec.networks.engine import Networks

NEVER = MAX_LEVEL + 1  # a level that no scene has


@dataclass(frozen=True)
class LevelIndependent:
    """What of a scene does not depend on the quality.

    Attributes:
        error_bounded: candidates of the tasks that are kept exactly or within a bound.
        masks: of holes, each once. mask_of: which of them a task's holes are, by task.
    """

    error_bounded: dict[str, Candidate]
    masks: list[MaskPayloads]
    mask_of: dict[str, int]


def encode_level_independent(prepared: Prepared, request: Request) -> LevelIndependent:
    """Encode tasks with bounds, and masks of holes; tasks with holes in the same places share one."""
    error_bounded = {
        name: bounded.encode(prepared.signals[name], bound, request.effort)
        for name, bound in prepared.bounds.items()
    }
    pixel_formats = {name: signal.pixel_format for name, signal in prepared.quality_coded().items()}
    pixel_formats |= {name: candidate.pixel_format for name, candidate in error_bounded.items()}
    unique: list[Holes] = []
    mask_of: dict[str, int] = {}
    for name, pixel_format in pixel_formats.items():
        if pixel_format.holes is None:
            continue
        same = (index for index, holes in enumerate(unique) if holes.same(pixel_format.holes))
        mask_of[name] = next(same, len(unique))
        if mask_of[name] == len(unique):
            unique.append(pixel_format.holes)
    return LevelIndependent(error_bounded, [MaskPayloads.encode(holes) for holes in unique], mask_of)


class SceneEncoder:
    """Encodes one scene at any quality level.

    Args:
        effort: of classical codecs, if other than the request's.
    """

    def __init__(
        self,
        prepared: Prepared,
        available: Sequence[Networks],
        request: Request,
        level_independent: LevelIndependent,
        effort: str = "",
    ) -> None:
        self.prepared, self.available, self.request = prepared, available, request
        self.level_independent = level_independent
        self.candidate_encoder = CandidateEncoder(prepared.quality_coded(), request, effort)
        self.no_networks_from = NEVER  # the level at which networks last were found to lose everywhere

    def encode_at(self, level: int) -> EncodedScene:
        """The scene at a quality level. Networks are not compared again above a level at which they lost."""
        networks = None
        if level < self.no_networks_from:
            networks = networks_for_scene(self.prepared.quality_coded(), self.available, self.request, level)
            self.no_networks_from = level if networks is None else NEVER
        neural = None if networks is None else self.candidate_encoder.encode_neural(networks, level)
        candidates = self.candidate_encoder.encode_all(neural, level)
        task_lambdas = {name: self.candidate_encoder.task_lambda(name, level) for name in candidates}
        chosen = decide(candidates, task_lambdas, self._dependencies(candidates, neural))
        return self._encoded(chosen, neural, level)

    def quick(self) -> SceneEncoder:
        """The same with quicker encodings: their PSNR and bytes are nearly right."""
        return SceneEncoder(self.prepared, self.available, self.request, self.level_independent, "fast")

    def refined(self, encoded: EncodedScene, level: int) -> EncodedScene:
        """``encoded``, which reaches its PSNRs at ``level``, with smaller classical candidates that do so."""
        for name, psnr in self.request.target_psnr.items():
            for candidate in self.candidate_encoder.encode_reaching(name, psnr, level):
                trial = self._encoded({**encoded.chosen, name: candidate}, encoded.neural, level)
                if len(trial.to_bytes()) < len(encoded.to_bytes()):
                    encoded = trial
        return encoded

    def _dependencies(
        self, candidates: Mapping[str, Sequence[Candidate]], neural: NeuralCandidates | None
    ) -> list[Dependency]:
        """The shared section and masks of holes, with the candidates that read them."""
        keyed = [
            ((name, index), candidate)
            for name, task_candidates in candidates.items()
            for index, candidate in enumerate(task_candidates)
        ]
        dependencies = []
        if neural is not None and neural.shared is not None:
            users = frozenset(key for key, candidate in keyed if candidate.uses_shared)
            dependencies.append(Dependency(8 * len(neural.shared), users))
        for index, mask in enumerate(self.level_independent.masks):
            users = frozenset(
                key
                for key, candidate in keyed
                if candidate.pixel_format.holes is not None
                and self.level_independent.mask_of[key[0]] == index
            )
            dependencies.append(Dependency(8 * len(mask.smallest), users))
        return [dependency for dependency in dependencies if dependency.users]

    def _encoded(
        self, chosen: Mapping[str, Candidate], neural: NeuralCandidates | None, level: int
    ) -> EncodedScene:
        """The scene with these candidates of lossy tasks; what networks made only as far as it is read."""
        all_candidates = {**self.level_independent.error_bounded, **chosen}
        candidates = {name: all_candidates[name] for name in self.prepared.signals}
        if neural is not None and not any(candidate.uses_shared for candidate in candidates.values()):
            neural = replace(neural, shared=None)
        if not any(candidate.coding == "neural" for candidate in candidates.values()):
            neural = None
        masks, mask_of = self.level_independent.masks, self.level_independent.mask_of
        return EncodedScene(
            self.prepared, candidates, masks, mask_of, neural, from_level(level), self.request
        )


def encode(scene: Mapping[str, Any], available: Sequence[Networks], request: Request) -> EncodedScene:
    """Encode a scene with whichever of the ``available`` networks suits it best.

    Raises:
        SceneError: the scene is not what its tasks declare. UsageError: the request does not fit it.
        TargetError: no quality reaches the target.
    """
    prepared = prepare(scene, request)
    for networks in available:
        for name in request.task_quality:
            if name in networks.tasks and name not in networks.graph.streams:
                raise UsageError(f"weights {networks.info.name!r} have one quality for all tasks", task=name)
    encoder = SceneEncoder(prepared, available, request, encode_level_independent(prepared, request))
    return rate.control(encoder, request)
