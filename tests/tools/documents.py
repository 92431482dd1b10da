"""What the documents say: pages, fenced blocks, command lines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SHELLS = ("", "sh", "bash", "shell", "console")  # languages of blocks that people paste into a shell
_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_DRAWING = re.compile("[─│►▼]")


class Block(NamedTuple):
    """A fenced block."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """Lines of commands without comments and prompts; those that go on after ``\\`` are one."""
        joined = self.text.replace("\\\n", " ")
        lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(page, text[: found.start()].count("\n") + 1, found[2], textwrap.dedent(found[3]))


def shell_blocks() -> list[Block]:
    """Blocks of commands: those of a shell, or of no language; drawings have none either."""
    every = (block for page in PAGES for block in blocks(page))
    return [own for own in every if own.language in SHELLS and not _DRAWING.search(own.text)]
