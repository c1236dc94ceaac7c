"""Utilities: how a training subset is scored. A DataGame prepares one on its data; the engine then walks through it."""

from fastsa.utilities.check import UtilityError, check
from fastsa.utilities.knn import KNN
from fastsa.utilities.logistic import Logistic
from fastsa.utilities.nearest_centroid import NearestCentroid
from fastsa.utilities.open import OpenUtility

__all__ = ["KNN", "Logistic", "NearestCentroid", "OpenUtility", "UtilityError", "check"]
