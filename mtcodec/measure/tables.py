"""Results of an evaluation as rows: CSV for other programs, a table for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mtcodec.measure.lines import lossy_tasks

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    *("system", "quality", "task", "images", "bytes", "bpp"),
    *("psnr", "mse", "ms_ssim", "angle_deg", "angle_median_deg", "rmse", "max_error", "abs_rel", "delta"),
    *("exact", "differing"),
    *("encode_ms", "decode_ms", "ratio", "extrapolated"),
)


def new_table(title: str, left: Iterable[str], right: Iterable[str], caption: str | None = None) -> Table:
    """A table for a terminal: heads of its columns of words, then of those of numbers."""
    from rich.table import Table

    table = Table(title=title, caption=caption)
    for justify, heads in (("left", left), ("right", right)):
        for head in heads:
            table.add_column(head, justify=justify)  # type: ignore[arg-type]
    return table


def _rows(results: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every system's rows with its name."""
    for name, system in results["systems"].items():
        for row in system["rows"]:
            yield name, row


def to_csv(results: Mapping[str, Any]) -> str:
    """One row per system, quality and task; ``task`` is ``all`` for a whole file of ours.

    Our bytes of one task are those that decoding it alone needs, so they do not add up to ``all``.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
    table.writeheader()
    for system, row in _rows(results):
        setting = {"system": system, "quality": row["quality"]}
        table.writerow({**row, **(row["matched"] or {}), **setting, "task": "all", "bytes": row["bytes"],
                        "psnr": row.get("psnr_mean", ""), "images": len(results["scenes"])})  # fmt: skip
        for name, entry in row["tasks"].items():
            table.writerow({**entry, **setting, "task": name})
    for point in results["classical"]:
        table.writerow({**point, "system": point["codec"]})
    return text.getvalue()


def format_table(results: Mapping[str, Any]) -> Table:
    """The results for a terminal: one row per system and quality, the system named if there are several.

    A ratio with ``~`` rests on an extrapolated curve.
    """
    psnr_tasks, several = lossy_tasks(results), len(results["systems"]) > 1
    psnr_heads = [f"{task} dB" for task in psnr_tasks]
    heads = ("quality", "bytes", "bpp", *psnr_heads, "ratio, whole files", "encode ms", "decode ms")
    table = new_table(f"{len(results['scenes'])} scenes", ["weights"] * several, heads)
    for system, row in _rows(results):
        if several and table.rows and row["quality"] == results["qualities"][0]:
            table.add_section()
        cells = [system] if several else []
        cells += [f"{row['quality']:g}", f"{row['bytes']:.0f}", f"{row['bpp']:.4f}"]
        cells += [f"{row['tasks'][t]['psnr']:.2f}" for t in psnr_tasks]
        matched = row["matched"]
        ratio = "-" if matched is None else f"{'~' if matched['extrapolated'] else ''}{matched['ratio']:.3f}"
        table.add_row(*cells, ratio, f"{row['encode_ms']:.1f}", f"{row['decode_ms']:.1f}")
    return table


def format_bd_rates(results: Mapping[str, Any]) -> Table | None:
    """The BD-rates for a terminal, one row per system, or None where there are none."""
    rates, tasks = results["bd_rate"], lossy_tasks(results)
    if rates is None:
        return None
    caption = (
        "– no common PSNRs; ~ fewer than half of the reference's. "
        "Single tasks: bytes to decode the task alone, with the header."
    )
    title = f"BD-rate against {rates['reference']}"
    table = new_table(title, ["system"], ["all, whole files", *tasks], caption)
    for name, entry in rates["systems"].items():
        cells = [entry["all"], *(entry["tasks"][task] for task in tasks)]
        table.add_row(name, *map(_percent, cells))
    return table


def _percent(comparison: Mapping[str, Any]) -> str:
    """A BD-rate; ``–`` where there is none, ``~`` where it covers less than half of the reference."""
    if comparison["percent"] is None:
        return "–"
    return f"{'~' if comparison['share'] < 0.5 else ''}{comparison['percent']:+.1f} %"
