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
        """Commands, one a line, without comments; those after prompts, if there are any."""
        joined = [line.strip() for line in self.text.replace("\\\n", " ").splitlines()]
        prompted = [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]
        return [line for line in prompted or joined if line and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield Block(page, text[: match.start()].count("\n") + 1, match[2], textwrap.dedent(match[3]))


def shell_blocks() -> list[Block]:
    """Blocks of commands: those of a shell, or of no language; drawings have none either."""
    return [
        block
        for page in PAGES
        for block in blocks(page)
        if block.language in SHELLS and not _DRAWING.search(block.text)
    ]
