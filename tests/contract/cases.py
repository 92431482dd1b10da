"""All cases by name."""

from __future__ import annotations

from contract import archives, commands, datasets, encodings, failures, golden, shows

MODULES = (archives, commands, datasets, encodings, failures, golden, shows)
CASES = {case.name: case for module in MODULES for case in module.cases()}
