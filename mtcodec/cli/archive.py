"""``mtcodec archive …``: archives checked, merged, split and sampled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli import options
from mtcodec.cli.common import progress_bar
from mtcodec.cli.report import amount, counted
from mtcodec.cli.unpack import Source, keys_of
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
def archive_merge(
    archives: Annotated[list[str], typer.Argument(metavar="ARCHIVE...", help="Directories, or URLs.")],
    output: Target = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Of scenes of one name, keep the first; else refuse.")
    ] = False,
    force: Replace = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put all scenes of archives into a new one; they must have the same weights (or none) and settings."""
    from mtcodec.archive import manage
    from mtcodec.archive.read import ArchiveReader

    target = _given(output)
    with progress_bar(quiet) as bar:
        made = manage.merge([ArchiveReader(name) for name in archives], target, skip_existing, force,
                            lambda done, total: bar("copying", done, total))  # fmt: skip
    _print([made], as_json, quiet)


@app.command("split")
def archive_split(
    archive: Source,
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
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Split an archive into several, in its order or by lists of scenes."""
    from mtcodec.archive import manage
    from mtcodec.archive.read import ArchiveReader

    target, opened = _given(output), ArchiveReader(archive)
    if sum(map(bool, (parts, scenes, keys))) != 1:
        raise UsageError("say one of --parts, --scenes and --keys")
    if keys:
        lists = {path.stem: keys_of(f"@{path}") or [] for path in keys}
        if len(lists) < len(keys):
            raise UsageError("two lists of one name")
        divided = manage.by_keys(opened, lists)
    else:
        divided = manage.evenly(opened, parts, scenes)
    with progress_bar(quiet) as bar:
        made = manage.split(opened, target, divided, force, lambda k, total: bar("copying", k, total))
    _print(made, as_json, quiet)


@app.command("sample")
def archive_sample(
    archive: Source,
    scenes: Annotated[int, typer.Option("--scenes", metavar="N", min=1, help="Number of scenes.")],
    output: Target = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Another seed chooses others.")] = 0,
    force: Replace = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put a random subset of an archive's scenes into a new one."""
    from mtcodec.archive import manage
    from mtcodec.archive.read import ArchiveReader

    target = _given(output)
    with progress_bar(quiet) as bar:
        made = manage.sample(ArchiveReader(archive), target, scenes, seed, force,
                             lambda done, total: bar("copying", done, total))  # fmt: skip
    _print([made], as_json, quiet)


def _given(output: str | None) -> str:
    if not output:
        raise UsageError("missing -o OUT")
    return output


def _print(made: Sequence[Copied], as_json: bool, quiet: bool) -> None:
    if as_json:
        listed = [{"archive": own.path, "scenes": own.scenes, "bytes": own.bytes} for own in made]
        typer.echo(json.dumps({"archives": listed}))
    elif not quiet:
        for own in made:
            typer.echo(f"{own.path}: {counted(own.scenes)}, {amount(own.bytes)}")
