"""Estimators: from utility values to labels, each unbiased for the estimand that it states."""

from fastsa.estimators.distributional import Distributional
from fastsa.estimators.estimator import Draw, Estimator, from_config
from fastsa.estimators.permutation import PermutationShapley

__all__ = ["Distributional", "Draw", "Estimator", "PermutationShapley", "from_config"]
