"""Backbones: what the transforms are made of, one file each. Imports no torch.

To add one, write its file, with a :class:`mtcodec.networks.backbones.backbone.Backbone` called ``BACKBONE``,
and name it in :data:`BACKBONES`.
"""

from mtcodec.networks.backbones import fast, scale_hyperprior

BACKBONES = {"fast": fast.BACKBONE, "scale-hyperprior": scale_hyperprior.BACKBONE}
"""By the names in configurations."""
