"""Results of an evaluation as rows: CSV for other programs, a table for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    *("system", "quality", "task", "images", "bytes", "payload_bytes", "bpp"),
    *("psnr", "ms_ssim", "angle_deg", "rmse", "abs_rel", "exact"),
    *("encode_ms", "decode_ms", "ratio", "ratio_payload", "extrapolated"),
)


def to_csv(results: Mapping[str, Any]) -> str:
    """One row per system, quality and task; ``task`` is ``all`` for our whole file.

    Our bytes of one task are those that decoding it alone needs, so they do not add up to ``all``.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
    table.writeheader()
    for row in results["ours"]:
        own = {"system": "mtcodec", "quality": row["quality"]}
        table.writerow({**row, **(row["matched"] or {}), **own, "task": "all", "bytes": row["bytes"],
                        "psnr": row.get("psnr_mean", ""), "images": len(results["scenes"])})  # fmt: skip
        for name, entry in row["tasks"].items():
            table.writerow({**entry, **own, "task": name})
    for point in results["classical"]:
        table.writerow({**point, "system": point["codec"]})
    return text.getvalue()


def format_table(results: Mapping[str, Any]) -> Table:
    """The results for a terminal: one row per quality. A ratio with ``~`` rests on an extrapolated curve."""
    from rich.table import Table

    psnr_tasks = [t for t in results["tasks"] if any("psnr" in row["tasks"][t] for row in results["ours"])]
    table = Table(title=f"{len(results['scenes'])} scenes")
    heads = ["quality", "bytes", "bpp", *(f"{t} dB" for t in psnr_tasks)]
    for head in [*heads, "ratio, whole files", "ratio, no overhead", "encode ms", "decode ms"]:
        table.add_column(head, justify="right")
    for row in results["ours"]:
        cells = [f"{row['quality']:g}", f"{row['bytes']:.0f}", f"{row['bpp']:.4f}"]
        cells += [f"{row['tasks'][t]['psnr']:.2f}" for t in psnr_tasks]
        found = row["matched"]
        mark = "~" if found and found["extrapolated"] else ""
        cells += [f"{mark}{found[key]:.3f}" if found else "-" for key in ("ratio", "ratio_payload")]
        table.add_row(*cells, f"{row['encode_ms']:.1f}", f"{row['decode_ms']:.1f}")
    return table
