"""``mtcodec archive …``: archives checked, merged, split and sampled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec.cli import options
from mtcodec.cli.common import open_archive, progress_bar
from mtcodec.cli.files import verify
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import amount, counted
from mtcodec.cli.unpack import keys_of
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from mtcodec.archive.manage import Copied

app = typer.Typer(
    add_completion=False, no_args_is_help=True,
    help="Check, merge, split and sample archives. Scenes are copied, nothing is encoded anew.",
)  # fmt: skip
app.command("check", help="Check all checksums of archives; the same as mtcodec verify.")(verify)

TARGET = options.output_option("ARCHIVE", "The new archive: a directory, or a URL.")
REPLACE = option(False, None, "Replace an archive that is there.", "--force")


@app.command("merge")
@takes_groups
def archive_merge(
    *,
    archives: list[str] = typer.Argument(metavar="ARCHIVE...", help="Directories, or URLs."),
    output: str = TARGET,
    skip_existing: bool = option(False, None, "Of scenes of one name, keep the first; else refuse."),
    force: bool = REPLACE,
    printing: options.PrintOptions,
) -> None:
    """Put all scenes of archives into a new one; they must have the same weights (or none) and settings."""
    from mtcodec.archive import manage

    readers = [open_archive(name) for name in archives]
    with progress_bar(printing.quiet) as bar:
        copied = manage.merge(readers, output, skip_existing, force, partial(bar, "copying"), printing.note)
    _print([copied], printing)


@app.command("split")
@takes_groups
def archive_split(
    *,
    archive: str = options.ARCHIVE,
    output: str = options.output_option("DIR", "New directory, of the archives DIR/00000 …"),
    parts: int = option(0, "N", "Into so many archives.", min=0, show_default=False),
    scenes: int = option(0, "N", "So many scenes in each.", min=0, show_default=False),
    keys: list[Path] | None = option(
        None, "FILE",
        "The scenes that it lists, one a line, in the archive DIR/<FILE's name without suffix>; "
        "repeatable, e.g. for train.txt and val.txt. Scenes in no list are left out.",
    ),
    force: bool = REPLACE,
    printing: options.PrintOptions,
) -> None:  # fmt: skip
    """Split an archive into several, in its order or by lists of scenes."""
    from mtcodec.archive import manage

    reader = open_archive(archive)
    if sum(map(bool, (parts, scenes, keys))) != 1:
        raise UsageError("say one of --parts, --scenes and --keys")
    if keys:
        lists = {path.stem: keys_of(f"@{path}") or [] for path in keys}
        if len(lists) < len(keys):
            raise UsageError("two lists of one name")
        divided = manage.by_keys(reader, lists)
    else:
        divided = manage.evenly(reader, parts, scenes)
    with progress_bar(printing.quiet) as bar:
        copied = manage.split(reader, output, divided, force, partial(bar, "copying"))
    _print(copied, printing)


@app.command("sample")
@takes_groups
def archive_sample(
    *,
    archive: str = options.ARCHIVE,
    scenes: int = option(..., "N", "Number of scenes.", min=1),
    output: str = TARGET,
    seed: int = option(0, "S", "Another seed chooses others."),
    force: bool = REPLACE,
    printing: options.PrintOptions,
) -> None:
    """Put a random subset of an archive's scenes into a new one."""
    from mtcodec.archive import manage

    reader = open_archive(archive)
    with progress_bar(printing.quiet) as bar:
        copied = manage.sample(reader, output, scenes, seed, force, partial(bar, "copying"))
    _print([copied], printing)


def _print(archives: Sequence[Copied], printing: options.PrintOptions) -> None:
    """Print a line about every new archive."""
    facts = [{"archive": new.path, "scenes": new.scenes, "bytes": new.bytes} for new in archives]
    lines = (f"{new.path}: {counted(new.scenes)}, {amount(new.bytes)}" for new in archives)
    printing.show({"archives": facts}, lines)
