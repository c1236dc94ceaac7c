"""Utilities: how a training subset is scored. A DataGame prepares one on its data; the engine then walks through it."""

from fastsa.utilities.knn import KNN
from fastsa.utilities.logistic import Logistic

__all__ = ["KNN", "Logistic"]
