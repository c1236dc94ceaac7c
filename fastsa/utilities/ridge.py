"""The ridge classification utility, an open utility with rank-one updates."""

from __future__ import annotations

import math

from fastsa import _checks
from fastsa.utilities.logit_scores import OF_CLASSES, chosen, count, empty_score, finish, start
from fastsa.utilities.open import OpenUtility
from fastsa.utilities.triangular import add_outer_product, solve


class Ridge(OpenUtility):
    """Validation score of ridge regression on one-vs-rest targets of -1 and 1: scikit-learn's RidgeClassifier.

    For every class present  |targets - X weights - intercept|^2 + alpha |weights|^2  is minimised over weights and a
    free intercept; the class with the largest margin is predicted, the smallest such class in a tie. With the centred
    scatter S, class means m_c, sizes n_c and the mean m of the coalition of size n,

        weights_c = 2 n_c (S + alpha I)^-1 (m_c - m),    margin_c(x) = 2 n_c / n - 1 + weights_c' (x - m).

    A joining point adds a multiple of one outer product to S (Welford 1962), by which the Cholesky factor of S +
    alpha I is rotated: about 2 d^2 multiplications per point, d^2 per class and score.

    Parameters
    ----------
    alpha : above 0. Default 1.0.
    score : "accuracy" (default); "balanced_accuracy", the mean over validation classes of the share predicted right; or
        "correct", 1 or 0 for every validation point, one output each. The empty coalition scores 1 / classes.

    Raises TypeError or ValueError for alpha <= 0 and an unknown score. For real targets: RidgeRegression.

    >>> import fastsa, numpy as np
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> game = fastsa.games.DataGame(fastsa.utilities.Ridge(), X, [0, 0, 1], X, [0, 0, 1])
    >>> game.evaluate(np.array([[True, False, True]])).tolist()
    [[1.0]]
    """

    def __init__(self, alpha: float = 1.0, *, score: str = "accuracy") -> None:
        code, self.n_outputs = chosen(score, OF_CLASSES)
        self.parameters = (_checks.number("alpha", alpha, above=0.0), code)
        self._settings = f"alpha={self.parameters[0]!r}, score={score!r}"

    def __repr__(self) -> str:
        return f"Ridge({self._settings})"

    def empty_score(self, n_classes: int) -> float:
        return empty_score(self.parameters[1], n_classes)

    def state_size(data):
        n_classes, d = data.n_classes, data.X.shape[1]
        return 3 * n_classes + d * (2 + 2 * n_classes + d)

    def reset(data, state):
        state[:] = 0.0
        _, _, _, _, _, _, factor = _parts(data, state)
        for j in range(data.X.shape[1]):
            factor[j, j] = math.sqrt(data.parameters[0])

    def add(data, state, player):
        members, _, mean, change, means, _, factor = _parts(data, state)
        before = members.sum()
        c = data.y[player]
        members[c] += 1.0
        for j in range(data.X.shape[1]):
            gap = data.X[player, j] - mean[j]
            mean[j] += gap / (before + 1.0)
            means[c, j] += (data.X[player, j] - means[c, j]) / members[c]
            change[j] = gap * math.sqrt(before / (before + 1.0))
        add_outer_product(factor, change)
        return 0

    def score(data, state, out):
        members, recalls, mean, _, means, weights, factor = _parts(data, state)
        size = members.sum()
        for c in range(data.n_classes):
            for j in range(data.X.shape[1]):
                weights[c, j] = 2.0 * members[c] * (means[c, j] - mean[j])
            solve(factor, weights[c])
        start(out, recalls)
        for v in range(data.y_val.size):
            predicted, largest = -1, 0.0
            for c in range(data.n_classes):
                if members[c] == 0.0:
                    continue
                margin = 2.0 * members[c] / size - 1.0
                for j in range(data.X.shape[1]):
                    margin += weights[c, j] * (data.X_val[v, j] - mean[j])
                if predicted < 0 or margin > largest:
                    predicted, largest = c, margin
            count(data.parameters[1], predicted == data.y_val[v], data.y_val, v, out, recalls)
        finish(data.parameters[1], data.y_val, out, recalls)
        return 0


def _parts(data, state):
    """Members [classes], recalls [2, classes], mean, a change of it [d], class means, weights [classes, d], factor."""
    n_classes, d = data.n_classes, data.X.shape[1]
    per_class, rest = state[: 3 * n_classes].reshape(3, n_classes), state[3 * n_classes :]
    overall = rest[: 2 * d].reshape(2, d)
    factor = rest[2 * d : 2 * d + d * d].reshape(d, d)
    by_class = rest[2 * d + d * d :].reshape(2, n_classes, d)
    return per_class[0], per_class[1:], overall[0], overall[1], by_class[0], by_class[1], factor
