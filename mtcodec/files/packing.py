"""Words for values that are packed in 8-bit channels: 24 bits in three colours, floats in four; and alpha.

Which channel has the highest bits, and what a 1 stands for, no file tells: whoever reads it has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtcodec.errors import UsageError
from mtcodec.tasks import Declarations, task_named, units

R, G, B, A = range(4)
ALPHA = "alpha"
FORMS: Mapping[str, tuple[tuple[int, ...], str]] = {
    "rgb24": ((R, G, B), "uint32"),
    "bgr24": ((B, G, R), "uint32"),
    "rg16": ((R, G), "uint16"),
    "gr16": ((G, R), "uint16"),
    "rgba:float32": ((A, R, G, B), "float32"),
    "bgra:float32": ((A, B, G, R), "float32"),
    ALPHA: ((A,), ""),
}
"""By name, the channels of a value, that with the highest bits first, and its dtype; "": that of the file."""
RANGE = ".."
MAX_VALUE = 2**32 - 1


@dataclass(frozen=True)
class Packing:
    """How the values of a task are packed.

    Attributes:
        text: as it was said, ``rgb24:0.001``.
        form: a key of :data:`FORMS`.
        unit: the length of a 1; "" where that is not said.
        offset: what is added to each value, so that 0 stands for no length.
    """

    text: str
    form: str
    unit: str = ""
    offset: int = 0

    @property
    def dtype(self) -> str:
        """Of the values; "" where it is that of the file."""
        dtype = FORMS[self.form][1]
        return "uint32" if dtype == "uint16" and self.offset else dtype


def parse(text: str) -> Packing:
    """What ``rgb24`` says, ``rgb24:0.2mm``, ``rgb24:0.001`` (metres), ``bgr24:0..1000m`` (0 and the largest).

    Raises:
        UsageError: none of these.
    """
    form = next((name for name in FORMS if text == name or text.startswith(f"{name}:")), None)
    if form is None:
        raise UsageError(
            f"not a form of packed values: {text!r} (known: {', '.join(FORMS)}; then :LENGTH of a 1)"
        )
    scale = text[len(form) + 1 :]
    if text == form:
        return Packing(text, form)
    if FORMS[form][1] == "float32":
        raise UsageError(f"{form} holds lengths in metres, not steps of {scale!r}: --unit says otherwise")
    if RANGE in scale:
        return _of_range(text, form, scale)
    return Packing(text, form, _unit(_metres(scale), text))


def _of_range(text: str, form: str, scale: str) -> Packing:
    """Where 0 and the largest value stand for two lengths, ``0.01..4.5m``."""
    if form == ALPHA:
        raise UsageError(f"{ALPHA} has 8 bits or 16, so that its unit has to be a length, not {scale!r}")
    ends = scale.split(RANGE, 1)
    suffix = units.parse(ends[1])[1]
    near, far = (_metres(end if units.parse(end)[1] else end + suffix) for end in ends)
    step = (far - near) / (2 ** (8 * len(FORMS[form][0])) - 1)
    unit = _unit(step, text)
    offset = round(near / step)
    if offset > MAX_VALUE - 2**24:
        raise UsageError(f"{scale} is too narrow a range so far away")
    return Packing(text, form, unit, offset)


def _metres(length: str) -> float:
    """A length in mm, cm or m, or a number of metres."""
    number, suffix = units.parse(length)
    return number * units.METRES[suffix or "m"]


def _unit(metres: float, text: str) -> str:
    if not metres > 0:
        raise UsageError(f"the length of a 1 must be more than 0: {text!r}")
    return f"{metres!r}m"


def check(unpack: Mapping[str, Packing], declared: Declarations) -> None:
    """Raise UsageError where a unit is said of a task that has no lengths; a camera's is like its task."""
    for task, packing in unpack.items():
        declaration = task_named(task, declared)
        if packing.unit and not (declaration is not None and declaration.kind.length):
            raise UsageError(f"it has no lengths, so that {packing.text!r} cannot say a unit", task=task)
