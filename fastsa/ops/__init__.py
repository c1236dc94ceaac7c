"""Strict operations: arrays in, arrays out, exact dtypes and layouts."""

from fastsa.ops.background import background_rows
from fastsa.ops.coalitions import draws_with_replacement, members, pack, prefix_coalitions, subsets, unpack
from fastsa.ops.masked import masked
from fastsa.ops.memberships import memberships
from fastsa.ops.moments import Moments
from fastsa.ops.permutations import permutations
from fastsa.ops.shapley_regression import shapley_regression
from fastsa.ops.walks import Lanes, Walks

__all__ = [
    "Lanes",
    "Moments",
    "Walks",
    "background_rows",
    "draws_with_replacement",
    "masked",
    "members",
    "memberships",
    "pack",
    "permutations",
    "prefix_coalitions",
    "shapley_regression",
    "subsets",
    "unpack",
]
