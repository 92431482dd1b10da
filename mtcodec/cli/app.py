"""The program: its commands, and what becomes of errors."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from mtcodec.cli import analyze, weights
from mtcodec.cli.archive import pack, unpack, verify
from mtcodec.cli.decode import decode, extract, info
from mtcodec.cli.encode import encode
from mtcodec.cli.evaluate import evaluate
from mtcodec.cli.train import train
from mtcodec.errors import MtcodecError

STOPS = (signal.SIGINT, signal.SIGTERM)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Store pixel-aligned images of one scene (rgb, depth, normals, labels) as one small file.\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 damaged or hostile input, 4 weights missing, "
    "130 or 143 interrupted. "
    "MTCODEC_DEBUG=1 shows tracebacks; MTCODEC_WEIGHTS lists directories of further weights.",
)
for command in (encode, decode, info, extract, pack, unpack, verify, train, evaluate):
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    app.command(help="\n\n".join(text.replace("\n", " ") for text in paragraphs))(command)
app.add_typer(analyze.app, name="analyze")
app.add_typer(weights.app, name="weights")


def _version(show: bool) -> None:
    if show:
        from mtcodec import __version__

        typer.echo(f"mtcodec {__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _stop(number: int, _: object) -> NoReturn:
    """Leave by an exception, so that half-written files are removed; with the exit code of the shells."""
    for one in STOPS:
        signal.signal(one, signal.SIG_DFL)  # whoever asks twice is obeyed at once
    sys.exit(128 + number)


@contextmanager
def _stoppable() -> Iterator[None]:
    before = {one: signal.signal(one, _stop) for one in STOPS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@_stoppable()
def main() -> NoReturn:
    """Run the command line; every :class:`MtcodecError` becomes one line and its exit code."""
    try:
        app(standalone_mode=True)
    except MtcodecError as error:
        if os.environ.get("MTCODEC_DEBUG"):
            raise
        typer.echo(f"mtcodec: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # of standard output: its reader has gone, or it is full
        if not isinstance(error, BrokenPipeError):
            if os.environ.get("MTCODEC_DEBUG"):
                raise
            typer.echo(f"mtcodec: {error}", err=True)
        if sys.stdout is not None:  # what it still holds back would fail once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
