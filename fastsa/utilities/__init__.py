"""Utilities: how a training subset is scored. A DataGame prepares one on its data; the engine then walks through it."""

from fastsa.utilities.check import UtilityError, check
from fastsa.utilities.gaussian_nb import GaussianNB
from fastsa.utilities.knn import KNN
from fastsa.utilities.linear_discriminant import LinearDiscriminant
from fastsa.utilities.logistic import Logistic
from fastsa.utilities.nearest_centroid import NearestCentroid
from fastsa.utilities.open import OpenUtility
from fastsa.utilities.ridge import Ridge
from fastsa.utilities.ridge_regression import RidgeRegression

__all__ = [
    "KNN",
    "GaussianNB",
    "LinearDiscriminant",
    "Logistic",
    "NearestCentroid",
    "OpenUtility",
    "Ridge",
    "RidgeRegression",
    "UtilityError",
    "check",
]
