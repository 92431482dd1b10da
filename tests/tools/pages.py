"""What tests of pages share: their small scene's size and colours, and a page of HTML taken apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np

HEIGHT, WIDTH = 40, 60
RED, BLUE = (220, 40, 40), (40, 40, 220)  # of the original, and of what its file holds
Pixels = dict[str, np.ndarray]
Make = Callable[..., bytes]
"""A page of files by name."""


@dataclass
class Element:
    """A tag with its attributes, and the text within it."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str, kind: str = "") -> list[Element]:
        """The elements within it of a tag and a class, in order."""
        found = []
        for child in self.children:
            if child.tag == tag and (not kind or kind in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(tag, kind)
        return found


class Tree(HTMLParser):
    """The elements of a page; raises where tags do not match."""

    VOID = ("meta", "img", "input")

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.root = self.now = Element("", {}, None)
        self.feed(html.decode())
        self.close()
        assert self.now is self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), attrs
        element = Element(tag, {name: value or "" for name, value in attrs}, self.now)
        self.now.children.append(element)
        if tag not in self.VOID:
            self.now = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.now.tag == tag and self.now.parent is not None, (tag, self.now.tag)
        self.now = self.now.parent

    def handle_data(self, data: str) -> None:
        element: Element | None = self.now
        while element is not None:
            element.text += data
            element = element.parent
