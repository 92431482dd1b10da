"""Which weights a scene gets, and which coding each of its tasks: whatever needs the fewest bits."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from mtcodec.codec.codec import Codec, Invalid
from mtcodec.codec.targets import Outcome, Target, measured, poor, reach
from mtcodec.coders import classical as picture
from mtcodec.coders import exact
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.scene import Scene
from mtcodec.format.container import SHARED, Reader
from mtcodec.format.quality import DEFAULT, STEPS, lambda_of
from mtcodec.signal import layers

CODINGS = ("auto", "neural", "classical")
HOPE = 0.6  # a final classical stream has at least this share of its draft's bytes; seen: 0.58 to 1.1
SLACK = 0.05  # dB that a task may lose when others leave the networks
AT_ONCE = 2  # tasks: encoders of large images take some 50 bytes a pixel
TRIES = 5  # to fill the bytes of a target


@dataclass(frozen=True)
class Request:
    """What is wanted of a file; the first four are those of :meth:`Codec.encode`.

    Attributes:
        coding: ``neural``; ``auto``: a classical codec for tasks where it needs fewer bytes at equal PSNR;
            ``classical``: wherever one reaches that PSNR.
    """

    quality: float = DEFAULT
    task_quality: Mapping[str, float] = field(default_factory=dict)
    invalid: Invalid = field(default_factory=dict)
    max_error: Mapping[str, float] = field(default_factory=dict)
    target: Target = field(default_factory=Target)
    coding: str = "auto"

    def encode(self, codec: Codec, scene: Scene, quality: float, ready: exact.Ready | None = None) -> bytes:
        return codec.encode(scene, quality, self.task_quality, self.invalid, self.max_error, ready)

    def encode_batch(self, codec: Codec, scenes: Sequence[Scene]) -> list[bytes]:
        """Files of scenes of one size at the quality, by the networks alone."""
        return codec.encode_batch(scenes, self.quality, self.task_quality, self.invalid, self.max_error)


def best_of(codecs: Sequence[Codec], scene: Scene, request: Request) -> tuple[Outcome, list[str]]:
    """The best of what ``codecs`` make of ``scene``, and the tasks that are hardly usable in it.

    Best is least bits + λ · weighted errors, the objective of training; for a PSNR as target, fewest bytes.

    Raises:
        SceneError, UsageError: as :meth:`Codec.encode`, of the last codec if none can do it.
    """
    found: list[tuple[Codec, Outcome]] = []
    for codec in codecs:
        try:
            found.append((codec, neural(codec, scene, request)))
        except (SceneError, UsageError):
            if codec is codecs[-1] and not found:
                raise
    step = sum(outcome.quality for _, outcome in found) / len(found) * STEPS / 100
    codec, outcome = min(found, key=lambda pair: cost(pair[0], pair[1], scene, request.target, step))
    outcome = spend(codec, scene, outcome, choose(codec, scene, outcome, request), request)
    return outcome, poor(codec, outcome.psnr)


def spend(codec: Codec, scene: Scene, before: Outcome, outcome: Outcome, request: Request) -> Outcome:
    """A better outcome for the bytes that classical codecs saved, where a number of bytes is the target."""
    size, low, high = request.target.size, outcome.quality, 100.0
    if not size or outcome is before:
        return outcome
    free = replace(request, target=Target())
    for _ in range(TRIES):
        middle = (low + high) / 2
        better = replace(free, quality=middle)
        found = choose(codec, scene, neural(codec, scene, better), better)
        if len(found.data) <= size:
            outcome, low = replace(found, reached=True), middle
        else:
            high = middle
    return outcome


class Chooser:
    """Codecs of which every scene gets the best, and its tasks the best coding; for evaluations."""

    def __init__(self, codecs: Sequence[Codec], coding: str = "auto") -> None:
        self.codecs, self.coding = codecs, coding

    def encode(self, scene: Scene, *, quality: float) -> bytes:
        return best_of(self.codecs, scene, Request(quality, coding=self.coding))[0].data

    def decode(self, data: bytes) -> Scene:
        fingerprint = Reader(io.BytesIO(data)).header.fingerprint
        made = (codec for codec in self.codecs if codec.info.fingerprint == fingerprint)
        return next(made, self.codecs[0]).decode(data)


def neural(codec: Codec, scene: Scene, request: Request) -> Outcome:
    """What the networks make of it."""
    encode = partial(request.encode, codec, scene)
    if request.target:
        return reach(codec, scene, encode, request.target)
    return measured(codec, scene, Outcome(encode(request.quality), request.quality, {}, True))


def cost(codec: Codec, outcome: Outcome, scene: Scene, target: Target, step: float) -> tuple[bool, float]:
    """What the best outcome has least of."""
    if target.psnr:
        return not outcome.reached, float(len(outcome.data))
    height, width = next(iter(scene.values())).shape[:2]
    errors = {
        n: 255**2 * 10 ** (-value / 10) * codec.declaration(n).weight for n, value in outcome.psnr.items()
    }
    rate = 8 * len(outcome.data) / (height * width)
    return not outcome.reached, rate + float(lambda_of(step)) * sum(errors.values())


def choose(codec: Codec, scene: Scene, neural: Outcome, request: Request) -> Outcome:
    """``neural``, or a file in which tasks are classical code streams of at least the same PSNR.

    Drafts, which take a fraction of the time, tell where that cannot pay (``auto``), so that what suits the
    networks stays fast.
    """
    if request.coding == "neural":
        return neural
    header = Reader(io.BytesIO(neural.data)).header
    sizes = {s.name: s.length for s in header.sections if s.neural}
    shared = sizes.pop(SHARED, 0)
    prepared = {n: layers.prepare(codec.tasks[n], scene[n], request.invalid.get(n, ())) for n in sizes}

    def draft(n: str) -> list[picture.Match]:
        return picture.drafts(codec.tasks[n], scene[n], prepared[n], neural.decoded[n])

    def final(n: str) -> bytes | None:
        return picture.best(codec.tasks[n], scene[n], prepared[n], neural.psnr[n], drafts[n])

    always = request.coding == "classical"
    with ThreadPoolExecutor(AT_ONCE) as pool:  # codecs release the interpreter's lock
        drafts = dict(zip(sizes, pool.map(draft, sizes)))
        hoped = {n: HOPE * found[0].size for n, found in drafts.items() if found}
        tried = sorted(hoped) if always else sorted(worthwhile(shared, sizes, hoped))
        payloads = dict(zip(tried, pool.map(final, tried)))
    ready: dict[str, exact.Coded] = {
        n: ("classical", picture.limits_of(codec.tasks[n], prepared[n]), payload)
        for n, payload in payloads.items()
        if payload is not None
    }
    lengths = {n: len(payload) for n, (_, _, payload) in ready.items()}
    names = set(ready) if always else worthwhile(shared, sizes, lengths)
    if not names:
        return neural
    data = request.encode(codec, scene, neural.quality, {n: ready[n] for n in names})
    outcome = measured(codec, scene, replace(neural, data=data))
    psnr = outcome.psnr
    kept = all(psnr[n] >= neural.psnr[n] - SLACK for n in psnr)
    met = all(psnr[n] >= value for n, value in request.target.psnr.items()) or not neural.reached
    if not always and not (kept and met and len(data) < len(neural.data)):
        return neural
    return outcome


def worthwhile(shared: int, neural: Mapping[str, int], classical: Mapping[str, float]) -> set[str]:
    """Tasks whose classical streams make the whole smaller, given bytes by task.

    Once one task stays with the networks, the shared stream is paid for, and every other one goes where its
    own bytes are fewer; it may pay that all go.
    """
    some = {n for n, size in classical.items() if size < neural[n]}
    if set(classical) == set(neural):
        mixed = shared * (some != set(neural)) + sum(classical[n] if n in some else neural[n] for n in neural)
        if sum(classical.values()) < mixed:
            return set(neural)
    return some
