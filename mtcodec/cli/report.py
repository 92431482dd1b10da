"""What a file holds, printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from mtcodec.container.mtc import Reader

Measures = Mapping[str, Mapping[str, float]]
"""By task and measure."""
SHOWN = {"psnr": "{:.1f} dB", "angle_deg": "{:.2f}°", "abs_rel": "{:.2%} off"}
STORED = {"rmse": "RMSE {}", "max_error": "at most {}"}  # in stored values, or their unit


def amount(count: float) -> str:
    """``882 B``, ``1.25 MB``: bytes in three digits."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(units) > 1:
        count, units = count / 1000, units[1:]
    return f"{count:.0f} B" if units[0] == "B" else f"{count:.3g} {units[0]}"


def duration(seconds: float) -> str:
    """``0.25 s``, ``42 s``, ``12 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def counted(count: int) -> str:
    """``1 scene``, ``2 scenes``."""
    return f"{count} scene{'s' * (count != 1)}"


def total(scenes: int, read: int, written: int, seconds: float, there: int = 0, failed: int = 0,
          weights: int = 0) -> str:  # fmt: skip
    """The last line of a batch: scenes, bytes in and out, seconds; ``there`` had been done before.

    ``weights``: bytes of a weights' file that all of an archive's scenes need besides.
    """
    share = ""
    if read:
        share = f" ({written / read:.1%})" if written < 2 * read else f" (×{written / read:.3g})"
    more = f" and {amount(weights)} of weights" if weights else ""
    line = f"{counted(scenes)}, {amount(read)} → {amount(written)}{share}{more}, {duration(seconds)}"
    line += f", {scenes / max(seconds, 1e-3):.3g} scenes/s" if scenes else ""
    return line + f", {there} were there" * bool(there) + f", {failed} failed" * bool(failed)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table with a head; columns are as wide as they need, and empty ones are left out."""
    kept = [k for k in range(len(rows[0])) if any(row[k] for row in rows[1:])]
    widths = {k: max(len(row[k]) for row in rows) for k in kept}
    for row in rows:
        yield "  ".join(f"{row[k]:<{widths[k]}}" for k in kept).rstrip()


def decibels(measures: Measures) -> str:
    """PSNR of every task, on a line."""
    return ", ".join(f"{name} {own['psnr']:.1f} dB" for name, own in measures.items() if "psnr" in own)


def facts(reader: Reader, file: str, measures: Measures | None = None) -> dict[str, Any]:
    """What ``--json`` prints; ``measures`` of a scene just encoded are added to its tasks."""
    from mtcodec.codec.info import summary

    found = summary(reader, file)
    for name, own in (measures or {}).items():
        found["tasks"][name] |= {key: float(f"{value:.6g}") for key, value in own.items()}
    return found


def print_file(found: Mapping[str, Any], as_json: bool = False, weights: str = "") -> None:
    """Print what :func:`facts` gave; ``weights`` is what the weights are called."""
    if as_json:
        typer.echo(json.dumps(found))
        return
    size = f"{found['bytes']} bytes, {found['bpp']:.4f} bpp, {found['width']}×{found['height']}"
    made = ""
    if found["weights"] is not None:
        name = weights or found["weights"]["name"] or "not installed"
        made = f", quality {found['quality']:g}, weights {name} ({found['weights']['fingerprint']})"
    typer.echo(f"{found['file']}: {size}{made}")
    for section in found["sections"]:
        cost = f"{section['bytes']:>8} bytes  {section['bpp']:8.4f} bpp"
        own = f"  {section['coding']}" if "coding" in section else ""
        own += f"  quality {section['quality']:g}" if "quality" in section else ""
        typer.echo(f"  {section['name']:<10} {cost}{own}")
    typer.echo(f"  {'overhead':<10} {found['overhead_bytes']:>8} bytes")
    for file in found["files"]:
        typer.echo(f"  attached {file['name']}: {file['bytes']} bytes")
    for task, own in found["tasks"].items():
        measured = _measures(task, own, found)
        typer.echo(f"  to decode {task}: {own['bytes']} bytes ({' + '.join(own['sections'])}){measured}")


def _measures(task: str, own: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Measures of a task as people read them, in its unit."""
    from mtcodec.tasks import USUAL, units

    parts = [text.format(own[key]) for key, text in SHOWN.items() if key in own]
    section = next(s for s in found["sections"] if s["name"] == task)
    known = USUAL.get(task)
    for key, text in STORED.items():
        if key in own and known is not None:
            parts.append(text.format(units.shown(known, section["dtype"], own[key], own.get("unit", ""))))
    if not parts and "unit" in own:
        parts.append(f"unit {own['unit']}")
    return f"  {', '.join(parts)}" if parts else ""
