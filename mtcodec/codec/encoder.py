"""A scene, or the frames of a group, to bytes: prepare, candidates, mode decision, rate control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mtcodec.codec import rate
from mtcodec.codec.candidates import MAX_LOSSLESS_PIXELS, CandidateEncoder
from mtcodec.codec.decision import Dependency, decide
from mtcodec.codec.encoded import EncodedGroup
from mtcodec.codec.prepare import Prepared, prepare
from mtcodec.codec.request import Request
from mtcodec.codec.timeline import Timeline
from mtcodec.codec.weights_choice import networks_for_scene
from mtcodec.coders import bounded, raw
from mtcodec.coders.candidate import Candidate, joined
from mtcodec.coders.masks import MaskPayloads
from mtcodec.container import frames as frame_payloads
from mtcodec.container.section import NUMBERS
from mtcodec.errors import UsageError
from mtcodec.quality import MAX_LEVEL, from_level
from mtcodec.signals.holes import Holes
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates
    from mtcodec.networks.engine import Networks

NEVER = MAX_LEVEL + 1  # a level that no scene has


@dataclass(frozen=True)
class LevelIndependent:
    """What of a group does not depend on the quality.

    Attributes:
        error_bounded: candidates of the tasks that are kept exactly or within a bound.
        masks: of holes, each once. mask_of: which of them a task's holes are, by task.
    """

    error_bounded: dict[str, Candidate]
    masks: list[MaskPayloads]
    mask_of: dict[str, int]


def encode_level_independent(prepared: Prepared, request: Request) -> LevelIndependent:
    """Encode tasks with bounds, and masks of holes; tasks with holes in the same places share one.

    Numbers are no images: they have one coding.
    """
    error_bounded = {
        name: raw.encode(prepared.signals[name])
        if prepared.shapes.get(name) in NUMBERS
        else bounded.encode(prepared.signals[name], bound, request.effort)
        for name, bound in prepared.bounds.items()
    }
    pixel_formats = {name: signal.pixel_format for name, signal in prepared.quality_coded().items()}
    pixel_formats |= {name: candidate.pixel_format for name, candidate in error_bounded.items()}
    unique: list[tuple[Holes, tuple[bool, ...]]] = []
    mask_of: dict[str, int] = {}
    for name, pixel_format in pixel_formats.items():
        if (holes := pixel_format.holes) is None:
            continue
        present = prepared.present(name)
        same = (i for i, (known, of_known) in enumerate(unique) if present == of_known and known.same(holes))
        mask_of[name] = next(same, len(unique))
        if mask_of[name] == len(unique):
            unique.append((holes, present))
    masks = [MaskPayloads.encode(holes, sum(present), present) for holes, present in unique]
    return LevelIndependent(error_bounded, masks, mask_of)


class GroupEncoder:
    """Encodes one scene, or the frames of a group, at any quality level.

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
        self.frames = [CandidateEncoder(signals, request, effort) for signals in _signals_by_frame(prepared)]
        self.no_networks_from = NEVER  # the level at which networks last were found to lose everywhere
        self._lossless: dict[str, Candidate] = {}

    def encode_at(self, level: int) -> EncodedGroup:
        """The group at a quality level. Networks are not compared again above a level at which they lost."""
        networks = None
        if level < self.no_networks_from:
            fullest = max(self.frames, key=lambda frame: len(frame.signals))
            networks = networks_for_scene(fullest.signals, self.available, self.request, level)
            self.no_networks_from = level if networks is None else NEVER
        neural_by_frame = [
            frame.encode_neural(networks, level) if networks and frame.supported_by(networks) else None
            for frame in self.frames
        ]
        by_frame = [frame.encode_all(neural, level) for frame, neural in zip(self.frames, neural_by_frame)]
        neural = _neural_group(neural_by_frame)
        candidates = self._joined(by_frame, level)
        task_lambdas = {name: self._task_lambda(name, level) for name in candidates}
        chosen = decide(candidates, task_lambdas, self._dependencies(candidates, neural))
        return self._encoded(chosen, neural, level)

    def _joined(
        self, by_frame: Sequence[Mapping[str, list[Candidate]]], level: int
    ) -> dict[str, list[Candidate]]:
        """The candidates of every task for all frames that have it, at least one each."""
        joined_by_task = {}
        for name, signal in self.prepared.quality_coded().items():

            def cost(candidate: Candidate, task_lambda: float = self._task_lambda(name, level)) -> float:
                return candidate.bits + task_lambda * candidate.squared_error()

            candidates = joined(signal, [frame[name] for frame in by_frame if name in frame], cost)
            is_small = signal.height * signal.width <= MAX_LOSSLESS_PIXELS
            if not candidates or (is_small and self.request.coding != "neural"):
                candidates.append(self._encode_lossless(name))
            joined_by_task[name] = candidates
        return joined_by_task

    def _task_lambda(self, name: str, level: int) -> float:
        return next(frame for frame in self.frames if name in frame.signals).task_lambda(name, level)

    def _encode_lossless(self, name: str) -> Candidate:
        """The smallest candidate that changes nothing."""
        if name not in self._lossless:
            signal = self.prepared.signals[name]
            self._lossless[name] = bounded.encode(signal, 0.0, self.request.effort)
        return self._lossless[name]

    def quick(self) -> GroupEncoder:
        """The same with quicker encodings: their PSNR and bytes are nearly right."""
        return GroupEncoder(self.prepared, self.available, self.request, self.level_independent, "fast")

    def refined(self, encoded: EncodedGroup, level: int) -> EncodedGroup:
        """``encoded``, which reaches its PSNRs at ``level``, with smaller classical candidates that do so."""
        if self.prepared.frame_count > 1:
            return encoded
        for name, psnr in self.request.target_psnr.items():
            for candidate in self.frames[0].encode_reaching(name, psnr, level):
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
    ) -> EncodedGroup:
        """The scene with these candidates of lossy tasks; what networks made only as far as it is read."""
        all_candidates = {**self.level_independent.error_bounded, **chosen}
        candidates = {name: all_candidates[name] for name in self.prepared.signals}
        if neural is not None and not any(candidate.uses_shared for candidate in candidates.values()):
            neural = replace(neural, shared=None)
        if not any(candidate.coding == "neural" for candidate in candidates.values()):
            neural = None
        masks, mask_of = self.level_independent.masks, self.level_independent.mask_of
        return EncodedGroup(
            self.prepared, candidates, masks, mask_of, neural, from_level(level), self.request
        )


def encode(
    frames: Sequence[Mapping[str, Any]],
    available: Sequence[Networks],
    request: Request,
    timeline: Timeline | None = None,
) -> EncodedGroup:
    """Encode a scene, or the frames of a group, with whichever of the ``available`` networks suits it best.

    Args:
        timeline: names and times of frames; None for a scene.

    Raises:
        SceneError: the images are not what their tasks declare. UsageError: the request does not fit them.
        TargetError: no quality reaches the target.
    """
    prepared = prepare(frames, request, timeline)
    for networks in available:
        for name in request.task_quality:
            if name in networks.tasks and name not in networks.graph.streams:
                raise UsageError(f"weights {networks.info.name!r} have one quality for all tasks", task=name)
    encoder = GroupEncoder(prepared, available, request, encode_level_independent(prepared, request))
    return rate.control(encoder, request)


def _signals_by_frame(prepared: Prepared) -> list[dict[str, Signal]]:
    """Of the tasks that are coded by quality, the signals of each frame."""
    by_frame: list[dict[str, Signal]] = [{} for _ in range(prepared.frame_count)]
    for name, signal in prepared.quality_coded().items():
        for number, of_frame in zip(prepared.frames_of[name], signal.frames()):
            by_frame[number][name] = of_frame
    return by_frame


def _neural_group(by_frame: Sequence[NeuralCandidates | None]) -> NeuralCandidates | None:
    """What networks made of the frames, with the shared section of all; its candidates are of one frame."""
    first = next((neural for neural in by_frame if neural is not None), None)
    if first is None or first.shared is None or len(by_frame) == 1:
        return first
    return replace(
        first, shared=frame_payloads.join([(neural and neural.shared) or b"" for neural in by_frame])
    )
