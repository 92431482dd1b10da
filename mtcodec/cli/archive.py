"""``mtcodec archive …``: archives checked, merged, split and sampled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli import options
from mtcodec.cli.common import progress_bar
from mtcodec.cli.groups import takes_groups
from mtcodec.cli.report import amount, counted
from mtcodec.cli.unpack import keys_of
from mtcodec.cli.verify import verify
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from mtcodec.archive.manage import Copied

app = typer.Typer(
    add_completion=False, no_args_is_help=True,
    help="Check, merge, split and sample archives. Scenes are copied, nothing is encoded anew.",
)  # fmt: skip
app.command("check", help="Check all checksums of archives; the same as mtcodec verify.")(verify)

Target = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="ARCHIVE", help="The new archive: a directory, or a URL."),
]
Replace = Annotated[bool, typer.Option("--force", help="Replace an archive that is there.")]


@app.command("merge")
@takes_groups
def archive_merge(
    *,
    archives: Annotated[list[str], typer.Argument(metavar="ARCHIVE...", help="Directories, or URLs.")],
    output: Target = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Of scenes of one name, keep the first; else refuse.")
    ] = False,
    force: Replace = False,
    printing: options.PrintOptions,
) -> None:
    """Put all scenes of archives into a new one; they must have the same weights (or none) and settings."""
    from mtcodec.archive import manage
    from mtcodec.archive.read import ArchiveReader

    target = _required(output)
    with progress_bar(printing.quiet) as bar:
        copied = manage.merge([ArchiveReader(name) for name in archives], target, skip_existing, force,
                            partial(bar, "copying"))  # fmt: skip
    _print([copied], printing)


@app.command("split")
@takes_groups
def archive_split(
    *,
    archive: options.Archive,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="New directory, of the archives DIR/00000 …"),
    ] = None,
    parts: Annotated[
        int, typer.Option("--parts", metavar="N", min=0, show_default=False, help="Into so many archives.")
    ] = 0,
    scenes: Annotated[
        int, typer.Option("--scenes", metavar="N", min=0, show_default=False, help="So many scenes in each.")
    ] = 0,
    keys: Annotated[
        list[Path] | None,
        typer.Option(
            "--keys", metavar="FILE",
            help="The scenes that it lists, one a line, in the archive DIR/<FILE's name without suffix>; "
            "repeatable, e.g. for train.txt and val.txt. Scenes in no list are left out.",
        ),
    ] = None,
    force: Replace = False,
    printing: options.PrintOptions,
) -> None:  # fmt: skip
    """Split an archive into several, in its order or by lists of scenes."""
    from mtcodec.archive import manage
    from mtcodec.archive.read import ArchiveReader

    target, reader = _required(output), ArchiveReader(archive)
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
        copied = manage.split(reader, target, divided, force, partial(bar, "copying"))
    _print(copied, printing)


@app.command("sample")
@takes_groups
def archive_sample(
    *,
    archive: options.Archive,
    scenes: Annotated[int, typer.Option("--scenes", metavar="N", min=1, help="Number of scenes.")],
    output: Target = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Another seed chooses others.")] = 0,
    force: Replace = False,
    printing: options.PrintOptions,
) -> None:
    """Put a random subset of an archive's scenes into a new one."""
    from mtcodec.archive import manage
    from mtcodec.archive.read import ArchiveReader

    target = _required(output)
    with progress_bar(printing.quiet) as bar:
        copied = manage.sample(ArchiveReader(archive), target, scenes, seed, force,
                             partial(bar, "copying"))  # fmt: skip
    _print([copied], printing)


def _required(output: str | None) -> str:
    """``output``, where it is not missing."""
    if not output:
        raise UsageError("missing -o OUT")
    return output


def _print(archives: Sequence[Copied], printing: options.PrintOptions) -> None:
    """Print a line about every new archive."""
    if printing.as_json:
        facts = [{"archive": new.path, "scenes": new.scenes, "bytes": new.bytes} for new in archives]
        typer.echo(json.dumps({"archives": facts}))
    elif not printing.quiet:
        for new in archives:
            typer.echo(f"{new.path}: {counted(new.scenes)}, {amount(new.bytes)}")
