"""The documents as a site that needs no network: README.md, docs/*.md, and reference pages made here.

python tests/tools/website.py      # what `make docs` does: build/site; needs the extra docs

Pages are copied to build/docs with their links mended, and built from there, as docs/mkdocs.yml says.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from shared.documents import ROOT
from tools import reference

CONFIG = ROOT / "docs" / "mkdocs.yml"
START = "README.md"  # is the page index.md
_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<target>[^)\s]+)\)")
_ATTRIBUTE = re.compile(r'(?P<name>src|href)="(?P<target>[^"]+)"')


def slug(text: str, separator: str = "-") -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", separator)


def mended(text: str, directory: str) -> str:
    """A page with links as the site has them; ``directory``: that of the page, ``""`` or ``docs``.

    Links to what the site does not hold, such as source code, become plain text.
    """

    def target(link: str) -> str | None:
        if re.match(r"\w+:|#", link):
            return link
        path, hash_, anchor = link.partition("#")
        path = posixpath.normpath(posixpath.join(directory, path))
        if path == START:
            return f"index.md{hash_}{anchor}"
        if path.startswith("docs/") and not (ROOT / path).is_dir():
            return f"{path.removeprefix('docs/')}{hash_}{anchor}"
        return None

    def link(match: re.Match[str]) -> str:
        inner = _LINK.sub(link, match["text"])
        new = target(match["target"])
        return inner if new is None else f"{match['image']}[{inner}]({new})"

    def attribute(match: re.Match[str]) -> str:
        return f'{match["name"]}="{target(match["target"]) or match["target"]}"'

    parts = _FENCED.split(text)  # every other one is code
    parts[::2] = [_LINK.sub(link, _ATTRIBUTE.sub(attribute, part)) for part in parts[::2]]
    return "".join(parts)


def write_pages(directory: Path) -> None:
    """Make ``directory`` anew, with all pages and pictures that the site is made of."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(ROOT / "docs", directory, ignore=shutil.ignore_patterns(CONFIG.name, "__pycache__"))
    for path in directory.glob("*.md"):
        path.write_text(mended(path.read_text("utf-8"), "docs"), "utf-8")
    (directory / "index.md").write_text(mended((ROOT / START).read_text("utf-8"), ""), "utf-8")
    (directory / "commands.md").write_text(reference.commands_page(), "utf-8")
    (directory / "python.md").write_text(reference.python_page(), "utf-8")


def build(directory: Path, site: Path) -> None:
    """The site; raises where mkdocs warns of anything."""
    from mkdocs.commands import build as mkdocs
    from mkdocs.config import load_config

    write_pages(directory)
    extensions: list[Any] = ["tables", "def_list", "mdx_truly_sane_lists", "pymdownx.superfences"]
    extensions += [{"toc": {"slugify": slug}}, {"pymdownx.highlight": {"use_pygments": False}}]
    config = load_config(
        str(CONFIG), docs_dir=str(directory), site_dir=str(site), strict=True, markdown_extensions=extensions
    )
    mkdocs.build(config)


def main() -> None:
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    build(ROOT / "build" / "docs", ROOT / "build" / "site")
    print(ROOT / "build" / "site" / "index.html")


if __name__ == "__main__":
    main()
