"""Rate control: the quality that reaches a PSNR with the fewest bytes, or keeps within a number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtcodec.codec.request import Request
from mtcodec.errors import TargetError
from mtcodec.format.quality import STEPS, to_step

if TYPE_CHECKING:
    from mtcodec.codec.encoder import Encoded

CLOSE = 4  # quality steps that a search may stay away from the best one


def control(at: Callable[[int], Encoded], request: Request) -> Encoded:
    """The scene at the quality of ``request``, or at that which reaches its target.

    Args:
        at: gives the scene at a quality step.

    Raises:
        TargetError: no quality reaches it, and the nearest is not wanted.
    """
    if not request.target_psnr and not request.target_bytes:
        return at(to_step(request.quality))

    def reached(found: Encoded) -> bool:
        if request.target_bytes:
            return len(found.data) <= request.target_bytes
        return all(found.psnr[name] >= value for name, value in request.target_psnr.items())

    fitting, other = (0, STEPS) if request.target_bytes else (STEPS, 0)  # the other end is the better one
    best = at(fitting)
    if not reached(best):
        if not request.best_effort:
            raise TargetError(f"out of reach: {_say(best, request)} (--best-effort takes that)")
        return best
    extreme = at(other)
    if reached(extreme):
        return extreme
    while abs(other - fitting) > CLOSE:
        step = (fitting + other) // 2
        found = at(step)
        if reached(found):
            best, fitting = found, step
        else:
            other = step
    return best


def _say(nearest: Encoded, request: Request) -> str:
    """What the nearest file is like."""
    if request.target_bytes:
        return f"{len(nearest.data)} bytes at least, not {request.target_bytes}"
    pairs = (f"{n} {nearest.psnr[n]:.1f} dB at most, not {v:g}" for n, v in request.target_psnr.items())
    return ", ".join(pairs)
