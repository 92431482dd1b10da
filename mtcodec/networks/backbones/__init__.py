"""Backbones: what the transforms are made of, one file each. Imports no torch.

To add one, write its file, with a :class:`mtcodec.networks.backbones.backbone.Backbone` called ``BACKBONE``,
and name it in :data:`BACKBONES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtcodec.networks.backbones.backbone import Backbone

BACKBONES = {"fast": "fast", "scale-hyperprior": "scale_hyperprior"}
"""Modules of this package by the names in configurations."""


def load(name: str) -> Backbone:
    """The backbone called ``name``, a key of :data:`BACKBONES`."""
    backbone: Backbone = import_module(f"{__name__}.{BACKBONES[name]}").BACKBONE
    return backbone
