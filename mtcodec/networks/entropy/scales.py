"""Scales of the distributions of all symbols.

Weights files hold the distributions as tables of counts (:mod:`mtcodec.networks.entropy.fit`).
"""

import math

SCALES = 64
SCALE_MIN, SCALE_MAX = 0.03, 40.0  # of the logistic distribution, in symbols
SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALES - 1)
