"""What tests of pages share: the size and colours of their small scene, and a parser of HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np

HEIGHT, WIDTH = 40, 60
RED, BLUE = (220, 40, 40), (40, 40, 220)  # rgb of the original, and of the image in the file
Pixels = dict[str, np.ndarray]
Make = Callable[..., bytes]
"""Makes a page of files by name."""


@dataclass
class Element:
    """A tag with its attributes, and the text within it."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str, css_class: str = "") -> list[Element]:
        """The elements within it of a tag and a class, in order."""
        elements = []
        for child in self.children:
            if child.tag == tag and (not css_class or css_class in child.attributes.get("class", "").split()):
                elements.append(child)
            elements += child.all(tag, css_class)
        return elements


class Tree(HTMLParser):
    """The elements of a page; raises where tags do not match."""

    VOID = ("meta", "img", "input")

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.root = self.current = Element("", {}, None)
        self.feed(html.decode())
        self.close()
        assert self.current is self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), attrs
        element = Element(tag, {name: value or "" for name, value in attrs}, self.current)
        self.current.children.append(element)
        if tag not in self.VOID:
            self.current = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.current.tag == tag and self.current.parent is not None, (tag, self.current.tag)
        self.current = self.current.parent

    def handle_data(self, data: str) -> None:
        element: Element | None = self.current
        while element is not None:
            element.text += data
            element = element.parent
