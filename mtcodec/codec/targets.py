"""Encoding to a target: the quality that reaches a PSNR or keeps within a size, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mtcodec.codec.codec import Codec
from mtcodec.errors import UsageError
from mtcodec.files.scene import Scene
from mtcodec.format.quality import STEPS, from_step
from mtcodec.signal.measures import errors

FLOORS = {"color": 25.0, "depth": 32.0, "vectors": 25.0, "image": 25.0}
"""PSNRs in dB, by kind of task, under which an image is hardly usable."""

COARSEST = 4  # quality steps that a search may stay away from the best one


@dataclass(frozen=True)
class Target:
    """What to reach: PSNRs in dB by task, or at most so many bytes."""

    psnr: Mapping[str, float] = field(default_factory=dict)
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.psnr or self.size)


@dataclass(frozen=True)
class Outcome:
    """A file and what it is like.

    Attributes:
        quality: 0 to 100.
        psnr: by task that is not lossless, in dB over pixels that are no holes.
        reached: False where no quality reaches the target; the file is then the nearest one.
        decoded: those tasks as decoding gives them.
    """

    data: bytes
    quality: float
    psnr: dict[str, float]
    reached: bool
    decoded: Scene = field(default_factory=dict, repr=False, compare=False)


Encode = Callable[[float], bytes]


def measured(codec: Codec, scene: Scene, outcome: Outcome) -> Outcome:
    """``outcome`` with the PSNR of every task of ``scene`` but class ids, as decoding gives them."""
    declared = (codec.declaration(name) for name in scene)
    tasks = {task.name: task for task in declared if not task.lossless}
    back = codec.decode(outcome.data, tasks) if tasks else {}
    psnr = {n: errors(t, scene[n], back[n])["psnr"] for n, t in tasks.items()}
    return replace(outcome, psnr=psnr, decoded=back)


def reach(codec: Codec, scene: Scene, encode: Encode, target: Target) -> Outcome:
    """Search the quality that reaches ``target`` with the fewest bytes, or the best one within its size.

    Args:
        encode: gives the file of ``scene`` at a quality.

    Raises:
        UsageError: a PSNR for a task that the scene lacks or stores losslessly.
    """
    for name in target.psnr:
        if name not in scene or codec.declaration(name).lossless:
            raise UsageError(f"a PSNR for task {name!r}, which the scene lacks or stores losslessly")

    def at(step: int) -> Outcome:
        made = Outcome(encode(step * 100 / STEPS), from_step(step), {}, True)
        if target.size:
            return replace(made, reached=len(made.data) <= target.size)
        made = measured(codec, scene, made)
        return replace(made, reached=all(made.psnr[n] >= v for n, v in target.psnr.items()))

    fitting, other = (0, STEPS) if target.size else (STEPS, 0)  # the other end is the better one
    best = at(fitting)
    if best.reached:
        extreme = at(other)
        if extreme.reached:
            best, fitting = extreme, other
        while abs(other - fitting) > COARSEST:
            middle = (fitting + other) // 2
            found = at(middle)
            if found.reached:
                best, fitting = found, middle
            else:
                other = middle
    return best if best.psnr else measured(codec, scene, best)


def poor(codec: Codec, psnr: Mapping[str, float]) -> list[str]:
    """Tasks whose PSNR is under the floor of their kind."""
    return [name for name, value in psnr.items() if value < FLOORS[codec.declaration(name).kind]]
