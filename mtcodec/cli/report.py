"""What a file holds, printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtcodec.container.mtc import Reader

Measures = Mapping[str, Mapping[str, float]]
"""By task and measure."""
FORMATS = {"psnr": "{:.1f} dB", "angle_deg": "{:.2f}°", "abs_rel": "{:.2%} off"}
FORMATS_OF_VALUES = {"rmse": "RMSE {}", "max_error": "at most {}"}  # in stored values, or their unit


def amount(count: float) -> str:
    """``882 B``, ``1.25 MB``: bytes in three digits."""
    unit_names = ["B", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(unit_names) > 1:
        count, unit_names = count / 1000, unit_names[1:]
    return f"{count:.0f} B" if unit_names[0] == "B" else f"{count:.3g} {unit_names[0]}"


def duration(seconds: float) -> str:
    """``0.25 s``, ``42 s``, ``12 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{round(seconds, 3):.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return in_minutes(seconds / 60)


def in_minutes(minutes: float) -> str:
    """``0 min``, ``12 min``, ``1 h 20 min``."""
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def counted(count: int, what: str = "scene") -> str:
    """``1 scene``, ``2 scenes``."""
    return f"{count} {what}{'s' * (count != 1)}"


def batch_summary(
    scenes: int,
    read: int,
    written: int,
    seconds: float,
    there: int = 0,
    failed: int = 0,
    weights: int = 0,
    unit: str = "scene",
) -> str:
    """The last line of a batch.

    Args:
        scenes: number of scenes done, in ``seconds``.
        read, written: bytes.
        there: scenes that had been done before.
        failed: scenes that could not be done.
        weights: bytes of a weights' file that all of an archive's scenes need besides.
        unit: what one of them is.
    """
    share = ""
    if read:
        share = f" ({written / read:.1%})" if written < 2 * read else f" (×{written / read:.3g})"
    more = f" and {amount(weights)} of weights" if weights else ""
    line = f"{counted(scenes, unit)}, {amount(read)} → {amount(written)}{share}{more}, {duration(seconds)}"
    line += f", {scenes / max(seconds, 1e-3):.3g} {unit}s/s" if scenes else ""
    return line + f", {there} were there" * bool(there) + f", {failed} failed" * bool(failed)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table with a head; columns are as wide as they need, and empty ones are left out."""
    widths = {
        k: max(len(row[k]) for row in rows) for k in range(len(rows[0])) if any(row[k] for row in rows[1:])
    }
    for row in rows:
        yield "  ".join(f"{row[k]:<{width}}" for k, width in widths.items()).rstrip()


def decibels(measures: Measures) -> str:
    """PSNR of every task, on a line."""
    psnrs = {task: of_task["psnr"] for task, of_task in measures.items() if "psnr" in of_task}
    return ", ".join(f"{task} {psnr:.1f} dB" for task, psnr in psnrs.items())


def facts(reader: Reader, file: str, measures: Measures | None = None) -> dict[str, Any]:
    """What ``--json`` prints; ``measures`` of a scene just encoded are added to its tasks."""
    from mtcodec.codec.info import summary

    contents = summary(reader, file)
    for task, of_task in (measures or {}).items():
        contents["tasks"][task] |= {name: float(f"{value:.6g}") for name, value in of_task.items()}
    return contents


def file_lines(contents: Mapping[str, Any], weights: str = "") -> Iterator[str]:
    """What :func:`facts` gave, for people; ``weights`` is what the weights are called."""
    yield _headline(contents, weights)
    from mtcodec.codec.info import size_text, sizes_differ

    differ = sizes_differ(contents)
    sizes = [size_text(section) if differ else "" for section in contents["sections"]]
    width = max(map(len, sizes), default=0)
    for section, size in zip(contents["sections"], sizes):
        line = f"  {section['name']:<10} {section['bytes']:>8} bytes  {section['bpp']:8.4f} bpp"
        line += f"  {size:<{width}}" if width else ""
        line += f"  {section['coding']}" if "coding" in section else ""
        line = line.rstrip()
        yield line + (f"  quality {section['quality']:g}" if "quality" in section else "")
    yield f"  {'overhead':<10} {contents['overhead_bytes']:>8} bytes"
    for file in contents["files"]:
        yield f"  attached {file['name']}: {file['bytes']} bytes"
    for name, task in contents["tasks"].items():
        measures = _measures(name, task, contents)
        yield f"  to decode {name}: {task['bytes']} bytes ({' + '.join(task['sections'])}){measures}"


def assumed_units(contents: Mapping[str, Any]) -> dict[str, str]:
    """Units by task whose errors :func:`file_lines` prints as lengths, where nobody tells them."""
    from mtcodec.tasks import USUAL, task_named, units

    dtypes = {section["name"]: section.get("dtype", "") for section in contents["sections"]}
    result = {}
    for name, task in contents["tasks"].items():
        declaration = task_named(name, USUAL)
        if declaration and task.get("rmse") and "unit" not in task:
            result[name] = units.unit_of(declaration, dtypes[name])
    return {name: unit for name, unit in result.items() if unit}


def _headline(contents: Mapping[str, Any], weights: str) -> str:
    """Size of a file and of its images, quality and weights."""
    from mtcodec.codec.info import sizes_differ

    line = f"{contents['file']}: {contents['bytes']} bytes, {contents['bpp']:.4f} bpp"
    line += f", {'up to ' * sizes_differ(contents)}{contents['width']}×{contents['height']}"
    if contents["weights"] is None:
        return line
    name = weights or contents["weights"]["name"] or "not installed"
    return f"{line}, quality {contents['quality']:g}, weights {name} ({contents['weights']['fingerprint']})"


def _measures(name: str, task: Mapping[str, Any], contents: Mapping[str, Any]) -> str:
    """Measures of a task as people read them, in its unit."""
    from mtcodec.tasks import USUAL, task_named, units

    parts = [text.format(task[measure]) for measure, text in FORMATS.items() if measure in task]
    section = next(s for s in contents["sections"] if s["name"] == name)
    declaration = task_named(name, USUAL)
    for measure, text in FORMATS_OF_VALUES.items():
        if measure in task and declaration is not None:
            value = units.shown(declaration, section["dtype"], task[measure], task.get("unit", ""))
            parts.append(text.format(value))
    if not parts and "unit" in task:
        parts.append(f"unit {task['unit']}")
    return f"  {', '.join(parts)}" if parts else ""
