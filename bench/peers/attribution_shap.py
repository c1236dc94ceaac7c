"""shap's tabular masks over 100 background rows, called as its PermutationExplainer calls them: seconds per mask.
Environment: pip install "shap==0.54.1".
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from shap.maskers import Independent
from shap.utils import MaskedModel

ROWS, REPEATS = 100, 21


def seconds(features: int) -> float:
    """One permutation there and back, as places that change: 2 * features + 1 masks of all rows in one call."""
    rng = np.random.default_rng(0)
    masker = Independent(rng.normal(size=(ROWS, features)).astype(np.float32), max_samples=ROWS)
    x = rng.normal(size=features).astype(np.float32)
    masks = np.empty(2 * features + 1, dtype=np.int64)
    masks[0] = MaskedModel.delta_mask_noop_value
    taken = []
    for _ in range(REPEATS):
        masks[1:] = np.tile(rng.permutation(features), 2)
        start = time.perf_counter()
        masker(masks, x)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:]) / masks.size  # the first compiles


for features in map(int, sys.argv[1:]):
    print(features, seconds(features))
