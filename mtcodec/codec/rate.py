"""Rate control: the quality that reaches a PSNR with the fewest bytes, or keeps within a number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mtcodec.codec.request import Request
from mtcodec.errors import TargetError
from mtcodec.quality import MAX_LEVEL, to_level

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedScene

CLOSE = 4  # quality steps that a search may stay away from the best one
CORRECTIONS = 5  # encodings at most to use what thorough ones save
STRIDE = 32  # steps by which the quality found with quick encodings is corrected


class Scene(Protocol):
    """What rate control needs of a scene's encoder."""

    def at(self, step: int) -> EncodedScene:
        """The scene at a quality step."""

    def quick(self) -> Scene:
        """The same with quicker encodings, for searching."""

    def refined(self, found: EncodedScene, step: int) -> EncodedScene:
        """``found``, which reaches its PSNRs at ``step``, with smaller codings that reach them too."""


def control(scene: Scene, request: Request) -> EncodedScene:
    """The scene at the quality of ``request``, or at that which reaches its target.

    The search is made with quick encodings, and corrected with those of the effort that is wanted.

    Raises:
        TargetError: no quality reaches it, and the nearest is not wanted.
    """
    if not request.target_psnr and not request.target_bytes:
        return scene.at(to_level(request.quality))

    def reached(found: EncodedScene) -> bool:
        return not missed(found, request)

    safe, better = (
        (0, MAX_LEVEL) if request.target_bytes else (MAX_LEVEL, 0)
    )  # towards ``better`` until it fails
    step = _search(scene.quick().at, reached, safe, better)
    toward = STRIDE if better > safe else -STRIDE
    found = scene.at(step)
    while not reached(found) and step != safe:
        step = min(max(step - toward, 0), MAX_LEVEL)
        found = scene.at(step)
    if not reached(found):
        if not request.best_effort:
            raise TargetError(f"{missed(found, request)} (--best-effort takes that)")
        return found
    for _ in range(CORRECTIONS):  # what is thorough may do with less
        if step == better:
            break
        closer = min(max(step + toward // 2, 0), MAX_LEVEL)
        other = scene.at(closer)
        if not reached(other):
            break
        found, step = other, closer
    return found if request.target_bytes else scene.refined(found, step)


def _search(
    at: Callable[[int], EncodedScene], reached: Callable[[EncodedScene], bool], safe: int, better: int
) -> int:
    """The step next to ``better`` that reaches the target; ``safe`` where none does."""
    if reached(at(better)):
        return better
    while abs(better - safe) > CLOSE:
        step = (safe + better) // 2
        if reached(at(step)):
            safe = step
        else:
            better = step
    return safe


def missed(nearest: EncodedScene, request: Request) -> str:
    """Why the nearest file does not reach the target of ``request``; empty where it does."""
    if request.target_bytes:
        size, most = len(nearest.to_bytes()), request.target_bytes
        return "" if size <= most else f"out of reach: {size} bytes at least, not {most}"
    if all(nearest.psnr[name] >= value for name, value in request.target_psnr.items()):
        return ""
    pairs = (f"{n} {nearest.psnr[n]:.1f} dB at most, not {v:g}" for n, v in request.target_psnr.items())
    return f"out of reach: {', '.join(pairs)}"
