"""The KNN-Shapley algorithm of OpenDataVal as published, written again with its structure: all distances, one argsort per
validation point, all sorted one-hot classes, then one vectorised step per training point.  Environment: torch.

The published code writes the farthest point's value at rank m - 1 of m validation points in place of n - 1: all its
values lack (the farthest point matches) / n, and it stops with an IndexError for m > n. Here the start is the right one.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

given = np.load(sys.argv[1])
torch.set_num_threads(int(given["threads"]))
X, X_val = torch.from_numpy(given["X"]), torch.from_numpy(given["X_val"])
n_classes = int(given["y"].max()) + 1
y, y_val = (torch.nn.functional.one_hot(torch.from_numpy(given[name]), n_classes) for name in ("y", "y_val"))
k, n, m = int(given["k"]), len(X), len(X_val)

start = time.perf_counter()
order = torch.argsort(torch.cdist(X, X_val), dim=0, stable=True)
ranked = y[order]
columns = torch.arange(m)
scores = torch.zeros(n, m)
farther = (ranked[-1] == y_val).all(dim=1).float()
scores[order[-1], columns] = farther / n
for i in range(n - 2, -1, -1):
    match = (ranked[i] == y_val).all(dim=1).float()
    scores[order[i], columns] = scores[order[i + 1], columns] + (match - farther) * min(k, i + 1) / (k * (i + 1))
    farther = match
values = scores.mean(dim=1)
seconds = time.perf_counter() - start
np.savez(sys.argv[2], seconds=seconds, values=values.numpy())
