"""Rate control: the quality that reaches a PSNR with the fewest bytes, or keeps within a number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mtcodec.codec.request import Request
from mtcodec.errors import TargetError
from mtcodec.quality import MAX_LEVEL, to_level

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedGroup

TOLERANCE = 4  # quality levels: the search ends this near to the best one
MAX_STRIDES = 5  # after the search: thorough encodings are smaller, so that a better level may do
STRIDE = 32  # levels from one thorough encoding to the next, after a search with quick ones


class Encoder(Protocol):
    """What rate control needs of a scene's encoder, see :class:`mtcodec.codec.encoder.GroupEncoder`."""

    def encode_at(self, level: int) -> EncodedGroup:
        """The scene at a quality level."""

    def quick(self) -> Encoder:
        """The same with quicker encodings, for searching."""

    def refined(self, encoded: EncodedGroup, level: int) -> EncodedGroup:
        """``encoded``, which reaches its PSNRs at ``level``, with smaller candidates that reach them too."""


def control(encoder: Encoder, request: Request) -> EncodedGroup:
    """The scene at the quality of ``request``, or at that which reaches its target.

    Of levels that keep within bytes the highest is wanted, of those that reach a PSNR the lowest. The search
    is made with quick encodings, and corrected with those of the effort that is wanted.

    Raises:
        TargetError: no quality reaches it, and the nearest is not wanted.
    """
    if not request.target_psnr and not request.target_bytes:
        return encoder.encode_at(to_level(request.quality))

    def meets(encoded: EncodedGroup) -> bool:
        return not target_error(encoded, request)

    safe_end, wanted_end = (0, MAX_LEVEL) if request.target_bytes else (MAX_LEVEL, 0)
    stride = STRIDE if wanted_end > safe_end else -STRIDE
    level = _search(encoder.quick().encode_at, meets, safe_end, wanted_end)
    level, encoded = _retreat_until_met(encoder, meets, level, safe_end, -stride)
    if not meets(encoded):
        if not request.best_effort:
            raise TargetError(f"{target_error(encoded, request)} (--best-effort takes that)")
        return encoded
    level, encoded = _advance_while_met(encoder, meets, level, encoded, wanted_end, stride // 2)
    return encoded if request.target_bytes else encoder.refined(encoded, level)


def _search(
    encode_at: Callable[[int], EncodedGroup],
    meets: Callable[[EncodedGroup], bool],
    safe_end: int,
    wanted_end: int,
) -> int:
    """By bisection, the level next to ``wanted_end`` that meets the target; ``safe_end`` where none does."""
    if meets(encode_at(wanted_end)):
        return wanted_end
    passing, failing = safe_end, wanted_end
    while abs(failing - passing) > TOLERANCE:
        level = (passing + failing) // 2
        if meets(encode_at(level)):
            passing = level
        else:
            failing = level
    return passing


def _retreat_until_met(
    encoder: Encoder, meets: Callable[[EncodedGroup], bool], level: int, safe_end: int, stride: int
) -> tuple[int, EncodedGroup]:
    """The first level towards ``safe_end`` that meets the target, or ``safe_end`` itself."""
    encoded = encoder.encode_at(level)
    while not meets(encoded) and level != safe_end:
        level = min(max(level + stride, 0), MAX_LEVEL)
        encoded = encoder.encode_at(level)
    return level, encoded


def _advance_while_met(
    encoder: Encoder,
    meets: Callable[[EncodedGroup], bool],
    level: int,
    encoded: EncodedGroup,
    wanted_end: int,
    stride: int,
) -> tuple[int, EncodedGroup]:
    """A few strides from a level that meets the target towards ``wanted_end``, as long as it is met."""
    for _ in range(MAX_STRIDES):
        if level == wanted_end:
            break
        closer = min(max(level + stride, 0), MAX_LEVEL)
        trial = encoder.encode_at(closer)
        if not meets(trial):
            break
        level, encoded = closer, trial
    return level, encoded


def target_error(encoded: EncodedGroup, request: Request) -> str:
    """Why a file does not reach the target of ``request``; empty where it does."""
    if request.target_bytes:
        size = len(encoded.to_bytes())
        if size <= request.target_bytes:
            return ""
        return f"out of reach: {size} bytes at least, not {request.target_bytes}"
    if all(encoded.psnr[name] >= psnr for name, psnr in request.target_psnr.items()):
        return ""
    pairs = (f"{n} {encoded.psnr[n]:.1f} dB at most, not {v:g}" for n, v in request.target_psnr.items())
    return f"out of reach: {', '.join(pairs)}"
