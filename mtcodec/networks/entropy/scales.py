"""Scales of the distributions of all symbols: 64, spaced evenly in their logarithm.

Weights files hold the distributions as tables of counts (:mod:`mtcodec.networks.entropy.fit`).
"""

import math

SCALES = 64
SCALE_MIN, SCALE_MAX = 0.03, 40.0  # of the logistic distribution, in symbols
LOG_SCALE_SPACING = math.log(SCALE_MAX / SCALE_MIN) / (SCALES - 1)  # natural logarithm, from one to the next
