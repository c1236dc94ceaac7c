"""dattri's KNN-Shapley on given arrays.  Environment: pip install dattri."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from dattri.algorithm.data_shapley import KNNShapleyAttributor
from torch.utils.data import DataLoader, TensorDataset

given = np.load(sys.argv[1])
torch.set_num_threads(int(given["threads"]))


def loader(X: np.ndarray, y: np.ndarray) -> DataLoader:
    return DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(y)), batch_size=1000, shuffle=False)


attributor = KNNShapleyAttributor(k_neighbors=int(given["k"]), distance_func=lambda a, b: torch.cdist(a[0], b[0]))
start, processor = time.perf_counter(), time.process_time()
scores = attributor.attribute(loader(given["X"], given["y"]), loader(given["X_val"], given["y_val"]))
seconds, processor = time.perf_counter() - start, time.process_time() - processor
np.savez(sys.argv[2], seconds=seconds, processor=processor, values=scores.numpy().mean(axis=0))
