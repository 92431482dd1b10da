"""Scenes compared with what came back of them, whatever codec it came back from.

Measures are those of :mod:`mtcodec.signals.measures`; holes are those of the original's signal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mtcodec.codec.prepare import check, declare
from mtcodec.codec.request import Invalid
from mtcodec.errors import MtcodecError, SceneError, UsageError
from mtcodec.measure.systems import mean_of
from mtcodec.signals.measures import holes_differ, measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Declarations, units

Measures = dict[str, Any]
LARGEST = ("max_error", "max_error_mm")  # measures of which a summary has the largest, not the mean
SUMS = ("holes", "holes_differ")


class Images(NamedTuple):
    """A scene in memory: arrays by task, and the length of a stored step where that is known."""

    images: Mapping[str, Any]
    units: Mapping[str, str] = {}


class Source(Protocol):
    """A scene that can be read."""

    @property
    def label(self) -> str: ...

    def read(self, tasks: Sequence[str] | None) -> Images:
        """Its images of those ``tasks`` that it has; None: all."""
        ...


class Settings(NamedTuple):
    """What originals mean: declarations, lengths of a step, and values of holes, all by task."""

    tasks: Declarations = USUAL
    units: Mapping[str, str] = {}
    invalid: Invalid = {}
    usual_holes: bool = True


USUALLY = Settings()


def compare(
    original: Mapping[str, Any], decoded: Mapping[str, Any], settings: Settings = USUALLY
) -> dict[str, Measures]:
    """Measures of every task that both have, in the order of the original.

    Args:
        original, decoded: by task, arrays (H, W) or (H, W, C), tensors or PIL images, of one size.

    Returns:
        By task what :func:`mtcodec.signals.measures.measure` gives, slow measures too; besides, of tasks that
        are not kept exactly, ``holes``, their number, and ``holes_differ``; of lengths, the ``unit`` of a
        stored step, ``rmse_mm`` and ``max_error_mm``.

    Raises:
        SceneError: images of other sizes or dtypes than their originals.
    """
    ours, theirs = check(original), check(decoded)
    found: dict[str, Measures] = {}
    for name, image in ours.items():
        if name not in theirs:
            continue
        other = theirs[name]
        if image.shape != other.shape or image.dtype != other.dtype:
            raise SceneError(
                f"{other.dtype} {other.shape} cannot be compared with the original's {image.dtype} "
                f"{image.shape}", task=name,
            )  # fmt: skip
        task = declare(name, image, settings.tasks)
        signal = Signal.from_image(task, image, settings.invalid.get(name, ()), settings.usual_holes)
        found[name] = {**measure(signal, other, slow=True)}
        if not task.exact:
            holes = 0 if signal.valid is None else int((~signal.valid).sum())
            found[name] |= {"holes": holes, "holes_differ": holes_differ(signal, other)}
        found[name] |= _lengths(signal, found[name], settings.units.get(name, ""))
    return found


def _lengths(signal: Signal, measured: Measures, given: str) -> Measures:
    """The unit of a task of lengths, and its errors in millimetres."""
    task, dtype = signal.task, signal.pixel_format.dtype
    if not task.kind.length:
        return {}
    step = 1000 * units.metres_of(task, dtype, given)
    lengths = {f"{key}_mm": step * measured[key] for key in ("rmse", "max_error") if key in measured}
    return {"unit": units.unit_of(task, dtype, given), **lengths}


def compare_scenes(
    original: Mapping[str, Source],
    decoded: Mapping[str, Source],
    tasks: Sequence[str] | None = None,
    settings: Settings = USUALLY,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Compare scenes of equal keys, or the only scenes of both; one pair is in memory at a time.

    Args:
        tasks: only these; None: all.
        settings: ``units`` go before those that a source tells.

    Returns:
        - ``scenes``: by key what :func:`compare` gives;
        - ``summary``: by task means over the scenes that have it, but sums of holes, the largest of
          ``max_error``, the number of ``scenes`` and the ``worst`` one (least PSNR, most differing pixels);
        - ``only_original``, ``only_decoded``: keys of scenes that the other side lacks;
        - ``tasks_only_original``, ``tasks_only_decoded``: the same of tasks, by key.

    Raises:
        SceneError: no scene in common, or a task of ``tasks`` that none has. MtcodecError: a scene cannot be
            read.
    """
    if len(original) == len(decoded) == 1:
        decoded = dict(zip(original, decoded.values()))
    pairs = {key: (source, decoded[key]) for key, source in original.items() if key in decoded}
    if not pairs:
        raise SceneError("no scene of the one is called like a scene of the other")
    rows: dict[str, dict[str, Measures]] = {}
    only: tuple[dict[str, list[str]], dict[str, list[str]]] = {}, {}
    for done, (key, (one, two)) in enumerate(pairs.items()):
        progress(done, len(pairs))
        first, second = one.read(tasks), two.read(tasks)
        own = settings._replace(units={**first.units, **settings.units})
        try:
            if first.images.keys() & second.images.keys():
                rows[key] = compare(first.images, second.images, own)
        except MtcodecError as error:
            raise error.at(path=two.label) from None
        for missing, here, there in ((only[0], first, second), (only[1], second, first)):
            names = [name for name in here.images if name not in there.images]
            if names:
                missing[key] = names
    summary = summarise(rows)
    for name in tasks or ():
        if name not in summary:
            raise SceneError(f"no scene has an image of task {name!r} on both sides")
    return {
        "scenes": rows,
        "summary": summary,
        "only_original": [key for key in original if key not in pairs],
        "only_decoded": [key for key in decoded if key not in pairs],
        "tasks_only_original": only[0],
        "tasks_only_decoded": only[1],
    }


def summarise(scenes: Mapping[str, Mapping[str, Measures]]) -> dict[str, Measures]:
    """By task, the ``summary`` of :func:`compare_scenes`."""
    result: dict[str, Measures] = {}
    for name in dict.fromkeys(name for row in scenes.values() for name in row):
        own = {key: row[name] for key, row in scenes.items() if name in row}
        numbers = [{k: v for k, v in one.items() if k != "unit"} for one in own.values()]
        summary: Measures = {"scenes": len(own), **mean_of(numbers)}
        for keys, total in ((LARGEST, max), (SUMS, sum)):
            for key in keys:
                if key in summary:
                    summary[key] = total(one[key] for one in numbers if key in one)
        summary["worst"] = min(own, key=lambda key: own[key].get("psnr", -own[key].get("differing", 0)))
        steps = {one["unit"] for one in own.values() if "unit" in one}
        result[name] = summary | ({"unit": steps.pop()} if len(steps) == 1 else {})
    return result


def below(found: Mapping[str, Any], bounds: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """By task, PSNRs by scene that are under its bound in dB; ``found`` is what :func:`compare_scenes` gave.

    Raises:
        UsageError: a task without a PSNR.
    """
    result = {}
    for name, bound in bounds.items():
        if "psnr" not in found["summary"].get(name, {}):
            raise UsageError(f"no PSNR of task {name!r}, which is kept exactly or which no scene has")
        psnrs = {key: row[name]["psnr"] for key, row in found["scenes"].items() if name in row}
        if under := {key: psnr for key, psnr in psnrs.items() if psnr < bound}:
            result[name] = under
    return result
