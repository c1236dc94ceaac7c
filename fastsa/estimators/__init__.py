"""Estimators: from utility values to labels, each of which states its estimand and whether it is unbiased."""

from fastsa.estimators.adjusted import AdjustedMSR
from fastsa.estimators.classwise import ClasswiseShapley
from fastsa.estimators.contributions import Draw
from fastsa.estimators.distributional import Distributional
from fastsa.estimators.estimator import Estimator, Finalized, Part, SampleRange, Statistics, from_config
from fastsa.estimators.leave_one_out import LeaveOneOut
from fastsa.estimators.linear_pool import BanzhafMSR, Semivalue, UnbiasedKernelSHAP
from fastsa.estimators.permutation import BetaShapley, PermutationShapley
from fastsa.estimators.regression import LIME, KernelSHAP, LeverageSHAP
from fastsa.estimators.sgd import SGDShapley

__all__ = [
    "LIME",
    "AdjustedMSR",
    "BanzhafMSR",
    "BetaShapley",
    "ClasswiseShapley",
    "Distributional",
    "Draw",
    "Estimator",
    "Finalized",
    "KernelSHAP",
    "LeaveOneOut",
    "LeverageSHAP",
    "Part",
    "PermutationShapley",
    "SGDShapley",
    "SampleRange",
    "Semivalue",
    "Statistics",
    "UnbiasedKernelSHAP",
    "from_config",
]
