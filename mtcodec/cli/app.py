"""The program: its commands, and what becomes of errors."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from threading import Timer
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from mtcodec import memory
from mtcodec.cli.groups import option
from mtcodec.errors import MtcodecError, MtcodecWarning

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOP_PAUSE = 0.01  # seconds until another try
GROUPS = {
    "Scenes": {
        "encode": "encode", "decode": "decode", "info": "files", "extract": "files", "view": "view",
        "concat": "sequence_files", "cut": "sequence_files",
    },
    "Datasets": {
        "stats": "stats", "pack": "pack", "unpack": "unpack", "verify": "files", "archive": "archive",
    },
    "Measures": {"compare": "compare", "bench": "bench", "evaluate": "evaluate", "analyze": "analyze"},
    "Networks": {"train": "train", "weights": "weights"},
}  # fmt: skip
"""Modules by command, each with a function of the command's name, or an ``app`` of commands."""
COMMANDS = {name: module for group in GROUPS.values() for name, module in group.items()}


class Program(TyperGroup):
    """The commands; a module is imported when one of its commands is called, or listed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = {**dict.fromkeys(COMMANDS), **self.commands}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, None if there is none; imports its module."""
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands.get(cmd_name)


def _load(name: str) -> Any:
    """A command, or a group of them."""
    module = import_module(f"mtcodec.cli.{COMMANDS[name]}")
    program = getattr(module, "app", None)
    if program is None:
        function = getattr(module, name)
        paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        program = typer.Typer(add_completion=False)
        program.command(help="\n\n".join(text.replace("\n", " ") for text in paragraphs))(function)
    command = typer.main.get_command(program)
    command.name = name
    panel = next(group for group, modules in GROUPS.items() if name in modules)
    setattr(command, "rich_help_panel", panel)  # noqa: B010
    return command


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Store pixel-aligned images of one scene (rgb, depth, normals, labels) as one small file.\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 damaged or hostile input, 4 weights missing, "
    "130 or 143 interrupted.\n\n"
    "Environment: MTCODEC_WEIGHTS lists directories of further weights, MTCODEC_DEBUG=1 shows tracebacks, "
    "NO_COLOR turns colours off. A shell completes commands, options and values after "
    "mtcodec --install-completion.",
)


def _version(show: bool) -> None:
    if show:
        from mtcodec import __version__

        typer.echo(f"mtcodec {__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: bool = option(
        False, None, "Print the version.", "-V", "--version", callback=_version, is_eager=True
    ),
) -> None:
    pass


@contextmanager
def _stoppable() -> Iterator[None]:
    """Leave by an exception, so that half-written files are removed; with the exit code of the shells."""
    code = 0
    tell_unraisable = sys.unraisablehook

    def stop(number: int, _: object) -> NoReturn:
        nonlocal code
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_DFL)  # whoever asks twice is obeyed at once
        if "asyncio" in sys.modules:  # requests to a store, which end with the process
            import logging

            logging.getLogger("asyncio").disabled = True
        code = 128 + number
        sys.unraisablehook = partial(stop_again, number)
        sys.exit(code)

    def stop_again(number: int, lost: Any) -> None:
        """An exception was lost in a destructor, or the like: if it was that of ``stop``, try it again."""
        if isinstance(lost.exc_value, SystemExit):
            signal.signal(number, stop)
            Timer(STOP_PAUSE, os.kill, [os.getpid(), number]).start()  # when the destructor has ended

    handlers = {stop_signal: signal.signal(stop_signal, stop) for stop_signal in STOP_SIGNALS}
    try:
        yield
    except BaseException:
        if code:  # a library that was being imported may have made another exception of it
            sys.exit(code)
        raise
    finally:
        for stop_signal, handler in handlers.items():
            signal.signal(stop_signal, handler)
        sys.unraisablehook = tell_unraisable


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show warnings of this package as lines for people, each once; others as Python does."""

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, MtcodecWarning):
            from mtcodec.cli.common import warn

            warn(" ".join(str(message).split()))
        else:
            show_other(message, category, *where)

    with warnings.catch_warnings():
        show_other = warnings.showwarning
        warnings.showwarning = show  # type: ignore[assignment]
        warnings.simplefilter("default", MtcodecWarning)  # whatever is wanted of the others
        yield


@_stoppable()
@_warnings_as_lines()
def main() -> NoReturn:
    """Run the command line; every :class:`MtcodecError` becomes one line and its exit code."""
    memory.owned = True
    try:
        app(prog_name="mtcodec", standalone_mode=True)
    except MtcodecError as error:
        if os.environ.get("MTCODEC_DEBUG"):
            raise
        typer.echo(f"mtcodec: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # of standard output: its reader has gone, or it is full
        if not isinstance(error, BrokenPipeError):
            if os.environ.get("MTCODEC_DEBUG"):
                raise
            what = error if error.filename else f"cannot write standard output: {error.strerror or error}"
            typer.echo(f"mtcodec: {what}", err=True)
        if sys.stdout is not None:  # what it still holds back would fail once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
