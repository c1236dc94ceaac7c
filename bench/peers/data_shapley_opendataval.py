"""The utility of OpenDataVal's marginal contributions as published, written again with the same operations: a deep copy
of the model, the members collated row by row by a data loader, one-hot classes back to codes, scikit-learn's fit, and
the probabilities as a float tensor.  Environment: torch, scikit-learn.

Only the utility is timed: no truncation, no cache, no sums of contributions.
"""

from __future__ import annotations

import copy
import sys
import time

import numpy as np
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from torch.utils.data import DataLoader, Subset, TensorDataset, default_collate

given = np.load(sys.argv[1])
torch.set_num_threads(int(given["threads"]))
X, X_val = (torch.from_numpy(given[name]).float() for name in ("X", "X_val"))
y, y_val = (torch.nn.functional.one_hot(torch.from_numpy(given[name]), 2).float() for name in ("y", "y_val"))


def as_numpy(rows):
    return tuple(column.numpy(force=True) for column in default_collate(rows))


def fitted(model, members):
    points = Subset(TensorDataset(X, y), members)
    features, one_hot = next(iter(DataLoader(points, batch_size=len(points), collate_fn=as_numpy)))
    classes = one_hot.argmax(axis=1)
    if np.unique(classes).size < 2:
        model = DummyClassifier(strategy="most_frequent")
    return model.fit(features, classes)


def accuracy(members):
    model = fitted(copy.deepcopy(base), members)
    probabilities = model.predict_proba(X_val.numpy(force=True))
    if probabilities.shape[1] == 1:
        probabilities = np.eye(2)[np.full(len(X_val), model.classes_[0], dtype=int)]
    predicted = torch.from_numpy(probabilities).float()
    return float((predicted.argmax(dim=1) == y_val.argmax(dim=1)).float().mean())


base = LogisticRegression()
coalitions = [members.tolist() for members in np.split(given["players"], given["ends"][:-1])]
for members in coalitions[:3]:
    accuracy(members)
start = time.perf_counter()
values = [accuracy(members) for members in coalitions]
np.savez(sys.argv[2], seconds=time.perf_counter() - start, values=values)
