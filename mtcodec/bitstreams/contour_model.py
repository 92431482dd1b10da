"""What coders of contour streams know: contexts of their bits, and what a boundary's movements say.

Specified in ``docs/format.md`` ("Labels payload").
"""

from __future__ import annotations

from mtcodec.bitstreams.binary_coder import EVEN, RARE, USUAL

MIN_LIMIT, PIXELS_PER_BOUNDARY = 4096, 64  # see boundary_limit
NEW = 8  # movement ascribed to a boundary that has just begun; larger ones count as it
WIDE = 4  # binary digits of a gap; wider ones count as it
BACK = NEW + 1  # row of movements back among sizes

# Where a name's contexts begin. Those of movements are by the last one, up to 2, and the older one's sign.
ENDS = 0  # do boundaries end in this row? By the smallest gap
BEGINS = ENDS + WIDE + 1  # do boundaries begin? By the same, and by whether some end
DIES = BEGINS + 2 * (WIDE + 1)  # does a boundary end? By its gap,
SAME = DIES + WIDE + 1  # where its label is that of the one before: likewise
MOVES = SAME + WIDE + 1
EDGE = MOVES + 9  # does it move that lies at x = 0?
TURNS = EDGE + 1  # does it move back?
FAR = TURNS + 9  # does it move by more than a pixel? By its row among sizes
MORE = FAR + BACK + 1  # does a boundary begin here? By the binary digits of the room, up to 32


def boundary_limit(height: int, width: int) -> int:
    """Rows and boundaries of all rows that a contour stream of an image of this size may have."""
    return MIN_LIMIT + height * width // PIXELS_PER_BOUNDARY


def after(last: int, older: int) -> int:
    """The number of a state: the last movement, and the sign of the one before."""
    near = NEW if last > NEW else -NEW if last < -NEW else last
    return (near + NEW) * 3 + (older > 0) - (older < 0) + 1


def last_of(state: int) -> int:
    """The last movement, at most 8."""
    return state // 3 - NEW


_STATES = [(last, older) for last in range(-NEW, NEW + 1) for older in (-1, 0, 1)]
DIRECTION = [-1 if last < 0 or (last == 0 and older < 0) else 1 for last, older in _STATES]
"""By state, which way is on."""
PAST = [min(abs(last), 2) * 3 + older * on + 1 for (last, older), on in zip(_STATES, DIRECTION)]
"""By state, its number among contexts by the past."""
SIZE = [abs(last) for last, _ in _STATES]  # by state, row among sizes
# by state, the states after no movement, after a pixel on and after a pixel back
STILL = [after(0, last) for last, _ in _STATES]
ONWARD = [after(on, last) for (last, _), on in zip(_STATES, DIRECTION)]
TURNED = [after(-on, last) for (last, _), on in zip(_STATES, DIRECTION)]
BEGUN, RETURNED = after(-NEW, -NEW), after(NEW, NEW)  # a boundary that has begun, and one that ends its run


class Odds:
    """Odds of all contexts: ``bits`` of single bits, the others of numbers."""

    def __init__(self) -> None:
        around = [EVEN] * WIDE + [RARE]
        self.bits = [*around, *around, *around, *around, *[USUAL] * (WIDE + 1)]
        self.bits += [*[EVEN] * 6, *[USUAL] * 3, RARE, *[RARE] * 9]
        self.bits += [RARE, RARE, *[EVEN] * (NEW - 1), RARE, *[RARE] * 33]
        self.bits[TURNS + 1] = EVEN  # it stood still twice
        self.labels: dict[int, int] = {}
        self.lengths: dict[int, int] = {}
        self.sizes: list[dict[int, int]] = [{} for _ in range(BACK + 1)]
