"""Kinds of tasks: all that depends on what an image's values mean, one object a kind.

To add a kind, add an object here; networks, coders, measures and the command line read its attributes.
"""

from __future__ import annotations

from dataclasses import dataclass

Values = tuple[float, ...]
"""A stored pixel: one number a channel, or one for all."""

INTEGERS = ("uint8", "uint16", "int8", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "float32", "float64")
DTYPES = (*INTEGERS, *FLOATS, "bool")


@dataclass(frozen=True)
class Kind:
    """What holds for all tasks of a kind.

    Attributes:
        about: what its values are, for help texts.
        channels: usual number of them; dtypes: those accepted, the usual one first.
        weight: of the squared error in the objective, relative to 1 for colour.
        exact: True where values are kept exactly, always.
        scene_range: True where integers too are scaled by the scene's own range; floats always are.
        log_scale: True where values that span several orders of magnitude are mapped logarithmically.
        unit_vectors: True where pixels are vectors of length 1, of integers ``n = 2 · stored / max − 1``,
            mirrored by changing the sign of x.
        hole_shares: stored values that mean a hole, as shares of an integer dtype's largest value; rounded up
            and down.
        positive: True where measurements are positive, and values that are negative, or far from all others,
            mean that nothing was measured.
        length: True where stored values are lengths, with a unit.
        measures: names of functions of :mod:`mtcodec.signals.measures`, besides PSNR; slow_measures: those
            that only evaluations wait for.
        floor: PSNR in dB under which an image is hardly usable.
        rd_table: which of a classical codec's tables of settings over λ suits it.
        colours: how pictures show it: ``rgb``, ``gray``, or the name of a colour map.
    """

    name: str
    about: str
    channels: int = 3
    dtypes: tuple[str, ...] = ("uint8", "uint16")
    weight: float = 1.0
    exact: bool = False
    scene_range: bool = False
    log_scale: bool = False
    unit_vectors: bool = False
    hole_shares: tuple[float, ...] = ()
    positive: bool = False
    length: bool = False
    measures: tuple[str, ...] = ()
    slow_measures: tuple[str, ...] = ()
    floor: float = 25.0
    rd_table: str = "color"
    colours: str = "rgb"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("color", "sRGB colours", slow_measures=("ms_ssim",)),
        Kind(
            "depth", "distances", channels=1, weight=3.0, scene_range=True, log_scale=True, positive=True,
            dtypes=("uint16", "uint8", "int16", "int32", "uint32", *FLOATS), length=True,
            hole_shares=(0.0, 1.0), measures=("rmse", "max_error", "abs_rel"), slow_measures=("delta",),
            floor=32.0, rd_table="depth", colours="viridis",
        ),
        Kind(
            "disparity", "disparities, or other inverse distances, in no unit of length", channels=1,
            weight=3.0, scene_range=True, log_scale=True, hole_shares=(0.0, 1.0),
            dtypes=("uint16", "uint8", "int16", "int32", "uint32", *FLOATS),
            measures=("rmse", "max_error", "abs_rel"), slow_measures=("delta",),
            floor=32.0, rd_table="depth", colours="viridis",
        ),
        Kind(
            "vectors", "unit vectors: integers round((n + 1) / 2 · max), or floats -1 to 1", weight=1.25,
            dtypes=("uint8", "uint16", *FLOATS), unit_vectors=True,
            hole_shares=(0.0, 0.5), measures=("angle_deg",), slow_measures=("angle_median_deg",),
            rd_table="vectors",
        ),
        Kind(
            "categories", "class ids, always exact", channels=1, dtypes=(*INTEGERS, "bool"), exact=True,
            measures=("exact",), colours="labels",
        ),
        Kind("image", "any other image", dtypes=("uint8", "uint16", *FLOATS), weight=1.0),
        Kind(
            "data", "values of unknown meaning, always exact", dtypes=DTYPES, exact=True, measures=("exact",)
        ),
    )
}  # fmt: skip
