"""The ridge regression utility for real targets, an open utility with rank-one updates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.utilities import scores
from fastsa.utilities.data import SupervisedData
from fastsa.utilities.open import OpenUtility, PreparedOpen
from fastsa.utilities.triangular import add_outer_product, solve

_R2, _MEAN_SQUARED_ERROR, _SQUARED_ERRORS = 0.0, 1.0, 2.0
_CODES = {"r2": _R2, "mean_squared_error": _MEAN_SQUARED_ERROR, "squared_errors": _SQUARED_ERRORS}


class RidgeRegression(OpenUtility):
    """Validation score of ridge regression of real targets on the features: scikit-learn's Ridge(alpha=...).

    |targets - X weights - intercept|^2 + alpha |weights|^2  is minimised over weights and a free intercept. With the
    centred scatter S, the centred products p = sum (x_i - m)(y_i - t) and the means m and t of the coalition,

        weights = (S + alpha I)^-1 p,    prediction(x) = t + weights' (x - m).

    A joining point adds a multiple of one outer product to S (Welford 1962), by which the Cholesky factor of S +
    alpha I is rotated: about 2 d^2 multiplications per point, d^2 and d per validation point for a score.

    Parameters
    ----------
    alpha : above 0. Default 1.0.
    score : "r2" (default), 1 - squared error / squared deviation of the validation targets from their mean;
        "mean_squared_error", minus the mean squared error; or "squared_errors", minus the squared error of every
        validation point, one output each.
    empty_prediction : what the empty coalition predicts for every point; default 0.0, or a mean known beforehand.

    Raises TypeError or ValueError for alpha <= 0, an unknown score and a prediction that is not finite, and where it is
    prepared for "r2" on validation targets that are all equal.

    >>> import fastsa, numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> game = fastsa.games.DataGame(fastsa.utilities.RidgeRegression(1e-9), X, [0.0, 2.0, 4.0], X, [0.0, 2.0, 4.0])
    >>> game.evaluate([[True, False, True], [False, False, False]]).round(6).ravel().tolist()
    [1.0, -1.5]
    """

    takes = "targets"

    def __init__(self, alpha: float = 1.0, *, score: str = "r2", empty_prediction: float = 0.0) -> None:
        self._score = scores.resolve(_checks.choice("score", score, _CODES), "targets")
        self.n_outputs = self._score.n_outputs
        empty = _checks.number("empty_prediction", empty_prediction)
        self.parameters = (_checks.number("alpha", alpha, above=0.0), _CODES[score], empty)

    def __repr__(self) -> str:
        alpha, _, empty = self.parameters
        return f"RidgeRegression(alpha={alpha!r}, score={self._score.name!r}, empty_prediction={empty!r})"

    def empty_values(self, data: SupervisedData) -> NDArray[np.float64]:
        return self._score(data.y_val, np.full(data.y_val.size, self.parameters[2]))

    def prepare(self, data: SupervisedData) -> PreparedOpen:
        self._score.check(data.y_val)
        return super().prepare(data)

    def state_size(data):
        d = data.X.shape[1]
        return 2 + d * (4 + d)

    def reset(data, state):
        state[:] = 0.0
        _, _, _, _, _, factor = _parts(data, state)
        for j in range(data.X.shape[1]):
            factor[j, j] = math.sqrt(data.parameters[0])

    def add(data, state, player):
        counted, mean, change, products, _, factor = _parts(data, state)
        before = counted[0]
        counted[0] += 1.0
        target_gap = data.y[player] - counted[1]
        counted[1] += target_gap / counted[0]
        for j in range(mean.size):
            gap = data.X[player, j] - mean[j]
            mean[j] += gap / counted[0]
            products[j] += gap * target_gap * before / counted[0]
            change[j] = gap * math.sqrt(before / counted[0])
        add_outer_product(factor, change)
        return 0

    def score(data, state, out):
        counted, mean, _, products, weights, factor = _parts(data, state)
        weights[:] = products
        solve(factor, weights)
        out[:] = 0.0
        for v in range(data.y_val.size):
            error = counted[1] - data.y_val[v]
            for j in range(mean.size):
                error += weights[j] * (data.X_val[v, j] - mean[j])
            if data.parameters[1] == _SQUARED_ERRORS:
                out[v] = -error * error
            else:
                out[0] += error * error
        if data.parameters[1] == _MEAN_SQUARED_ERROR:
            out[0] /= -data.y_val.size
        elif data.parameters[1] == _R2:
            out[0] = 1.0 - out[0] / _spread(data.y_val)
        return 0


def _parts(data, state):
    """Size and mean target [2]; mean, room for a change of it, products and weights [d]; factor [d, d]: views."""
    d = data.X.shape[1]
    vectors = state[2 : 2 + 4 * d].reshape(4, d)
    return state[:2], vectors[0], vectors[1], vectors[2], vectors[3], state[2 + 4 * d :].reshape(d, d)


def _spread(y_val):
    """The sum of squared deviations from the mean."""
    mean, total = 0.0, 0.0
    for v in range(y_val.size):
        mean += y_val[v] / y_val.size
    for v in range(y_val.size):
        total += (y_val[v] - mean) ** 2
    return total
