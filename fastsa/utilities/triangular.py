"""Upper triangular factors R of positive definite matrices R'R, in plain loops for Numba; the rest is unread."""

from __future__ import annotations

import math


def factorize(matrix):
    """Replace the upper triangle of `matrix` by its factor; False where a pivot is not positive."""
    d = matrix.shape[0]
    for k in range(d):
        if not matrix[k, k] > 0.0:
            return False
        pivot = math.sqrt(matrix[k, k])
        for j in range(k, d):
            matrix[k, j] /= pivot
        for i in range(k + 1, d):
            for j in range(i, d):
                matrix[i, j] -= matrix[k, i] * matrix[k, j]
    return True


def add_outer_product(factor, row):
    """The factor of R'R + row row', by one plane rotation per feature; `row` is used up.

    Rotations keep lengths, so that rounding errors add up but are never amplified (Gill, Golub, Murray and Saunders,
    Methods for modifying matrix factorizations, 1974, method C3), as they are in updates of an inverse.
    """
    d = row.size
    for k in range(d):
        length = math.sqrt(factor[k, k] * factor[k, k] + row[k] * row[k])
        cosine, sine = factor[k, k] / length, row[k] / length
        factor[k, k] = length
        for j in range(k + 1, d):
            above = factor[k, j]
            factor[k, j] = cosine * above + sine * row[j]
            row[j] = cosine * row[j] - sine * above


def solve(factor, vector):
    """Replace `vector` b by the solution x of R'R x = b."""
    d = vector.size
    for k in range(d):
        vector[k] /= factor[k, k]
        for j in range(k + 1, d):
            vector[j] -= factor[k, j] * vector[k]
    for k in range(d - 1, -1, -1):
        total = vector[k]
        for j in range(k + 1, d):
            total -= factor[k, j] * vector[j]
        vector[k] = total / factor[k, k]
