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


# By state: number among contexts by the past, row among sizes, which way is on, and the states after no
# movement, after a pixel on and after a pixel back
PAST: list[int] = []
SIZE: list[int] = []
DIRECTION: list[int] = []
STILL: list[int] = []
ONWARD: list[int] = []
TURNED: list[int] = []
for _last in range(-NEW, NEW + 1):
    for _older in (-1, 0, 1):
        _direction = -1 if _last < 0 or (_last == 0 and _older < 0) else 1
        DIRECTION.append(_direction)
        PAST.append(min(abs(_last), 2) * 3 + _older * _direction + 1)
        SIZE.append(abs(_last))
        STILL.append(after(0, _last))
        ONWARD.append(after(_direction, _last))
        TURNED.append(after(-_direction, _last))
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
