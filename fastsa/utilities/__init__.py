"""Utilities: how a training subset is scored. A DataGame prepares one on its data; the engine then walks through it."""

from fastsa.utilities.callable_utility import CallableUtility
from fastsa.utilities.check import UtilityError, check
from fastsa.utilities.gaussian_nb import GaussianNB
from fastsa.utilities.knn import KNN
from fastsa.utilities.linear_discriminant import LinearDiscriminant
from fastsa.utilities.logistic import Logistic
from fastsa.utilities.nearest_centroid import NearestCentroid
from fastsa.utilities.open import OpenUtility
from fastsa.utilities.refits import RefitError
from fastsa.utilities.ridge import Ridge
from fastsa.utilities.ridge_regression import RidgeRegression
from fastsa.utilities.sklearn_utility import SklearnUtility
from fastsa.utilities.torch_utility import TorchUtility

__all__ = [
    "KNN",
    "CallableUtility",
    "GaussianNB",
    "LinearDiscriminant",
    "Logistic",
    "NearestCentroid",
    "OpenUtility",
    "RefitError",
    "Ridge",
    "RidgeRegression",
    "SklearnUtility",
    "TorchUtility",
    "UtilityError",
    "check",
]
