"""Files that are there already: which of them are what a run would make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mtcodec.cli.common import warn
from mtcodec.errors import OutputError

if TYPE_CHECKING:
    from mtcodec.files.origin import Origin

Item = TypeVar("Item")
MAX_LINES = 20  # about single files


@dataclass
class Existing:
    """Files where a run would write its own.

    Attributes:
        done: what the run would make is there already.
        others: why that is not so, for people, by file.
    """

    done: set[Path] = field(default_factory=set)
    others: dict[Path, str] = field(default_factory=dict)

    @classmethod
    def of(cls, origin: Callable[[Item], Origin], scenes: Sequence[Item], paths: Sequence[Path]) -> Existing:
        """Those among ``paths``, of the files that would be made of ``scenes``; ``origin`` tells of what."""
        from mtcodec.files.state import States

        states, existing = States(), cls()
        for scene, path in zip(scenes, paths):
            if not path.is_file():
                continue
            reason = states[path.parent].why_not_done(path.name, origin(scene))
            if reason:
                existing.others[path] = reason
            else:
                existing.done.add(path)
        return existing

    def check(self, force: bool, note: Callable[[str], None]) -> None:
        """Tell of each file that is not what the run would make; it is replaced, for ``force``.

        Raises:
            OutputError: there are such files, without ``force``.
        """
        if force:
            _tell([f"{path}: made anew ({reason})" for path, reason in self.others.items()], note)
        elif len(self.others) == 1:
            [(path, reason)] = self.others.items()
            raise OutputError(f"is there already, but {reason} (--force replaces it)", path=path)
        elif self.others:
            _tell([f"{path}: is there already, but {reason}" for path, reason in self.others.items()], warn)
            raise OutputError(
                f"{len(self.others)} files are not what would be made now: nothing is encoded "
                "(--force replaces them; or choose another directory)"
            )


def _tell(lines: Sequence[str], tell: Callable[[str], None]) -> None:
    """Tell the first lines, and how many more there are."""
    for line in lines[:MAX_LINES]:
        tell(line)
    if len(lines) > MAX_LINES:
        tell(f"and {len(lines) - MAX_LINES} more such files")
