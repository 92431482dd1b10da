"""Rate control: the quality that reaches a PSNR with the fewest bytes, or keeps within a number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mtcodec.codec.request import Request
from mtcodec.errors import TargetError
from mtcodec.quality import MAX_LEVEL, to_level

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedScene

TOLERANCE = 4  # quality levels that the search may stay away from the best one
MAX_REFINEMENTS = 5  # encodings at most to use what thorough ones save
STRIDE = 32  # levels by which what was found with quick encodings is corrected


class Encoder(Protocol):
    """What rate control needs of a scene's encoder, see :class:`mtcodec.codec.encoder.SceneEncoder`."""

    def at(self, level: int) -> EncodedScene:
        """The scene at a quality level."""

    def quick(self) -> Encoder:
        """The same with quicker encodings, for searching."""

    def refined(self, encoded: EncodedScene, level: int) -> EncodedScene:
        """``encoded``, which reaches its PSNRs at ``level``, with smaller candidates that reach them too."""


def control(encoder: Encoder, request: Request) -> EncodedScene:
    """The scene at the quality of ``request``, or at that which reaches its target.

    Of levels that keep within bytes the highest is wanted, of those that reach a PSNR the lowest. The search
    is made with quick encodings, and corrected with those of the effort that is wanted.

    Raises:
        TargetError: no quality reaches it, and the nearest is not wanted.
    """
    if not request.target_psnr and not request.target_bytes:
        return encoder.at(to_level(request.quality))

    def meets(encoded: EncodedScene) -> bool:
        return not missed(encoded, request)

    feasible, preferred = (0, MAX_LEVEL) if request.target_bytes else (MAX_LEVEL, 0)
    level = _search(encoder.quick().at, meets, feasible, preferred)
    level, encoded = _backed_off(encoder, meets, level, feasible, STRIDE if feasible > preferred else -STRIDE)
    if not meets(encoded):
        if not request.best_effort:
            raise TargetError(f"{missed(encoded, request)} (--best-effort takes that)")
        return encoded
    half_stride = STRIDE // 2 if preferred > feasible else -STRIDE // 2
    level, encoded = _pushed(encoder, meets, level, encoded, preferred, half_stride)
    return encoded if request.target_bytes else encoder.refined(encoded, level)


def _search(
    at: Callable[[int], EncodedScene], meets: Callable[[EncodedScene], bool], feasible: int, preferred: int
) -> int:
    """By bisection, the level next to ``preferred`` that meets the target; ``feasible`` where none does."""
    if meets(at(preferred)):
        return preferred
    while abs(preferred - feasible) > TOLERANCE:
        level = (feasible + preferred) // 2
        if meets(at(level)):
            feasible = level
        else:
            preferred = level
    return feasible


def _backed_off(
    encoder: Encoder, meets: Callable[[EncodedScene], bool], level: int, feasible: int, stride: int
) -> tuple[int, EncodedScene]:
    """The first level towards ``feasible`` that meets the target, or ``feasible`` itself."""
    encoded = encoder.at(level)
    while not meets(encoded) and level != feasible:
        level = min(max(level + stride, 0), MAX_LEVEL)
        encoded = encoder.at(level)
    return level, encoded


def _pushed(
    encoder: Encoder,
    meets: Callable[[EncodedScene], bool],
    level: int,
    encoded: EncodedScene,
    preferred: int,
    stride: int,
) -> tuple[int, EncodedScene]:
    """A few strides from a level that meets the target towards ``preferred``, as long as it is met."""
    for _ in range(MAX_REFINEMENTS):
        if level == preferred:
            break
        closer = min(max(level + stride, 0), MAX_LEVEL)
        trial = encoder.at(closer)
        if not meets(trial):
            break
        level, encoded = closer, trial
    return level, encoded


def missed(encoded: EncodedScene, request: Request) -> str:
    """Why a file does not reach the target of ``request``; empty where it does."""
    if request.target_bytes:
        size = len(encoded.to_bytes())
        return (
            ""
            if size <= request.target_bytes
            else (f"out of reach: {size} bytes at least, not {request.target_bytes}")
        )
    if all(encoded.psnr[name] >= psnr for name, psnr in request.target_psnr.items()):
        return ""
    pairs = (f"{n} {encoded.psnr[n]:.1f} dB at most, not {v:g}" for n, v in request.target_psnr.items())
    return f"out of reach: {', '.join(pairs)}"
