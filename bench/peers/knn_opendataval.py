"""The KNN-Shapley algorithm of OpenDataVal as published, written again with the same operations: distances in batches
of 32 x 32 from data loaders, one argsort per validation point, all sorted one-hot classes, then one vectorised step per
training point that compares both of its ranks.  Environment: torch.

The published code writes the farthest point's value at rank m - 1 of m validation points in place of n - 1: all its
values lack (the farthest point matches) / n, and it stops with an IndexError for m > n. Here the start is right.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torch.utils.data import DataLoader

BATCH = 32

given = np.load(sys.argv[1])
torch.set_num_threads(int(given["threads"]))
X, X_val = torch.from_numpy(given["X"]), torch.from_numpy(given["X_val"])
n_classes = int(given["y"].max()) + 1
y, y_val = (torch.nn.functional.one_hot(torch.from_numpy(given[name]), n_classes) for name in ("y", "y_val"))
k, n, m = int(given["k"]), len(X), len(X_val)


def matches(ranked_classes: torch.Tensor) -> torch.Tensor:
    return (ranked_classes == y_val).all(dim=1).float()


start, processor = time.perf_counter(), time.process_time()
bands = []
for train_batch in DataLoader(X, BATCH):
    bands.append(torch.cat([torch.cdist(train_batch, val_batch) for val_batch in DataLoader(X_val, BATCH)], dim=1))
distances = torch.cat(bands, dim=0)
order = torch.argsort(distances, dim=0, stable=True)
ranked = y[order]
scores = torch.zeros_like(distances)
scores[order[-1], range(m)] = matches(ranked[-1]) / n
for i in range(n - 2, -1, -1):
    step = min(k, i + 1) / (k * (i + 1))
    beyond = scores[order[i + 1], range(m)]
    scores[order[i], range(m)] = beyond + step * (matches(ranked[i]) - matches(ranked[i + 1]))
values = scores.mean(dim=1)
seconds, processor = time.perf_counter() - start, time.process_time() - processor
np.savez(sys.argv[2], seconds=seconds, processor=processor, values=values.numpy())
