"""pyDVL's KNN-Shapley on given arrays.  Environment: pip install "pyDVL==0.10.0" "numpy<2"."""

from __future__ import annotations

import sys
import time

import numpy as np
from joblib import parallel_config
from pydvl.valuation.dataset import Dataset
from pydvl.valuation.methods.knn_shapley import KNNShapleyValuation
from sklearn.neighbors import KNeighborsClassifier

given = np.load(sys.argv[1])
train = Dataset(given["X"], given["y"])
validation = Dataset(given["X_val"], given["y_val"])
model = KNeighborsClassifier(n_neighbors=int(given["k"]))
with parallel_config(n_jobs=int(given["threads"])):
    KNNShapleyValuation(model, validation, progress=False).fit(train[:100])  # starts the workers
    start = time.perf_counter()
    result = KNNShapleyValuation(model, validation, progress=False).fit(train).result
    seconds = time.perf_counter() - start
values = np.empty(len(train))
values[result.indices] = result.values
np.savez(sys.argv[2], seconds=seconds, values=values)
