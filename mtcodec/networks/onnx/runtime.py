"""onnxruntime, imported quietly.

Its builds from 1.29 on send reports of its use unless told not to, and some from 1.23 on warn of graphics
cards on standard error while they are imported, before their log can be set.
"""

from __future__ import annotations

import os

from mtcodec.silence import native_silence

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


with native_silence():
    import onnxruntime as ort

__all__ = ["ort"]
