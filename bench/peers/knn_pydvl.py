"""pyDVL's KNN-Shapley on given arrays.  Environment: pip install "pyDVL==0.10.0" "numpy<2"."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from joblib import parallel_config
from pydvl.valuation.dataset import Dataset
from pydvl.valuation.methods.knn_shapley import KNNShapleyValuation
from sklearn.neighbors import KNeighborsClassifier


def processor_seconds() -> float:
    """Of this process and all that it started, as Linux counts them: the work is done by joblib's."""
    parents, seconds = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        process = int(entry.parent.name)
        parents[process] = int(fields[1])
        seconds[process] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total = 0.0
    for process in seconds:
        above = process
        while above and above != os.getpid():
            above = parents.get(above, 0)
        total += seconds[process] if above else 0.0
    return total


given = np.load(sys.argv[1])
train = Dataset(given["X"], given["y"])
validation = Dataset(given["X_val"], given["y_val"])
model = KNeighborsClassifier(n_neighbors=int(given["k"]))
with parallel_config(n_jobs=int(given["threads"])):
    KNNShapleyValuation(model, validation, progress=False).fit(train[:100])  # starts the workers
    processor, start = processor_seconds(), time.perf_counter()
    result = KNNShapleyValuation(model, validation, progress=False).fit(train).result
    seconds, processor = time.perf_counter() - start, processor_seconds() - processor
values = np.empty(len(train))
values[result.indices] = result.values
np.savez(sys.argv[2], seconds=seconds, processor=processor, values=values)
