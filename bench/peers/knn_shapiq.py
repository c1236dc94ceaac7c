"""shapiq's nearest-neighbour explainers on given arrays, one validation point at a time, as they work.
Environment: Python 3.12 or later, pip install "shapiq==1.8.0".
"""

from __future__ import annotations

import sys
import time

import numpy as np
from shapiq.explainer.nn.knn import KNNExplainer
from shapiq.explainer.nn.threshold_nn import ThresholdNNExplainer
from shapiq.explainer.nn.weighted_knn import WeightedKNNExplainer
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier

given = np.load(sys.argv[1])
variant, k = str(given["variant"]), int(given["k"])
if variant == "threshold":
    model = RadiusNeighborsClassifier(radius=float(given["radius"]))
else:
    model = KNeighborsClassifier(n_neighbors=k, weights="distance" if variant == "weighted" else "uniform")
model.fit(given["X"].astype(np.float64), given["y"])
explainers = {"hard": KNNExplainer, "weighted": WeightedKNNExplainer, "threshold": ThresholdNNExplainer}
by_class = [explainers[variant](model, class_index=int(c)) for c in np.unique(given["y"])]

values = np.zeros(len(given["X"]))
start, processor = time.perf_counter(), time.process_time()
for point, own in zip(given["X_val"].astype(np.float64), given["y_val"], strict=True):
    values += by_class[own].explain_function(point).get_n_order_values(1)
seconds, processor = time.perf_counter() - start, time.process_time() - processor
np.savez(sys.argv[2], seconds=seconds, processor=processor, values=values / len(given["X_val"]))
