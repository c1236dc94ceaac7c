"""The linear discriminant utility, an open utility with rank-one updates of the pooled covariance."""

from __future__ import annotations

import math

from fastsa import _checks
from fastsa.utilities.logit_scores import OF_LOGITS, chosen, count_logits, empty_score, finish, largest_logit, start
from fastsa.utilities.open import OpenUtility
from fastsa.utilities.triangular import factorize, solve


class LinearDiscriminant(OpenUtility):
    """Validation score of linear discriminant analysis with a shrunk covariance, fitted on the coalition.

    scikit-learn's LinearDiscriminantAnalysis(solver="lsqr", shrinkage=...): with W the scatter of all points about the
    means m_c of their classes, n_c of n points in class c, and d features,

        covariance = (1 - shrinkage) W / n + shrinkage trace(W) / (n d) I,
        logit_c(x) = m_c' covariance^-1 x - m_c' covariance^-1 m_c / 2 + log(n_c / n).

    It is positive definite as soon as two points of one class differ. Before that (scikit-learn refuses one point per
    class) its limit for ever smaller, equal spread is taken: the nearest class mean has probability 1. Only classes
    present take part; the smallest class wins a tie. W is updated point by point with outer products (Welford 1962);
    the covariance, whose diagonal moves with every point, is factorized when it is scored: d^3 / 6 multiplications.

    Parameters
    ----------
    shrinkage : above 0, at most 1. Default 1e-3.
    score : "accuracy" (default); "balanced_accuracy", the mean over validation classes of the share predicted right;
        "log_loss": minus the mean log-loss in nats, every prediction mixed with 1 % of the coalition's smoothed class
        frequencies (count + 1) / (size + classes), so that it is finite; below two classes the prediction is these
        frequencies; or, one output per validation point, "correct" (1 or 0) and "log_likelihood" (of its class), whose
        means are accuracy and log_loss. The empty coalition scores 1 / classes or -log(classes).

    Raises TypeError or ValueError for other shrinkage or scores; error code 1 of score means that the covariance is
    numerically singular: raise the shrinkage.

    >>> import fastsa, numpy as np
    >>> X = np.array([[0.0], [1.0], [5.0], [7.0]])
    >>> game = fastsa.games.DataGame(fastsa.utilities.LinearDiscriminant(), X, [0, 0, 1, 1], X, [0, 0, 1, 1])
    >>> game.evaluate([[True, False, True, False], [True, True, True, True]]).ravel().tolist()
    [1.0, 1.0]
    """

    def __init__(self, shrinkage: float = 1e-3, *, score: str = "accuracy") -> None:
        shrinkage = _checks.number("shrinkage", shrinkage, above=0.0)
        if shrinkage > 1.0:
            raise ValueError(f"shrinkage is {shrinkage}; expected at most 1.")
        code, self.n_outputs = chosen(score, OF_LOGITS)
        self.parameters = (shrinkage, code)
        self._settings = f"shrinkage={shrinkage!r}, score={score!r}"

    def __repr__(self) -> str:
        return f"LinearDiscriminant({self._settings})"

    def empty_score(self, n_classes: int) -> float:
        return empty_score(self.parameters[1], n_classes)

    def state_size(data):
        n_classes, d = data.n_classes, data.X.shape[1]
        return 5 * n_classes + d * (1 + 2 * n_classes + 2 * d)

    def reset(data, state):
        state[:] = 0.0

    def add(data, state, player):
        members, _, _, _, gap, means, _, scatter, _ = _parts(data, state)
        c = data.y[player]
        members[c] += 1.0
        for j in range(gap.size):
            gap[j] = data.X[player, j] - means[c, j]
            means[c, j] += gap[j] / members[c]
        for i in range(gap.size):
            share = gap[i] * (members[c] - 1.0) / members[c]
            for j in range(i, gap.size):
                scatter[i, j] += share * gap[j]
        return 0

    def score(data, state, out):
        members, constants, logits, recalls, mean, means, weights, scatter, factor = _parts(data, state)
        spread = _covariance(members, scatter, data.parameters[0], factor)
        if not factorize(factor):
            return 1
        _weigh(members, means, factor, spread, mean, weights, constants)
        start(out, recalls)
        for v in range(data.y_val.size):
            for c in range(data.n_classes):
                logit = constants[c]
                for j in range(data.X.shape[1]):
                    logit += weights[c, j] * (data.X_val[v, j] - mean[j])
                logits[c] = logit
            if not spread:
                best = largest_logit(members, logits)
                for c in range(data.n_classes):
                    logits[c] = 0.0 if c == best else -math.inf
            count_logits(data.parameters[1], members, logits, data.y_val, v, out, recalls)
        finish(data.parameters[1], data.y_val, out, recalls)
        return 0


def _parts(data, state):
    """Members, constants, logits [classes], recalls [2, classes]; mean [d]; means, weights [classes, d]; scatter, factor."""
    n_classes, d = data.n_classes, data.X.shape[1]
    per_class = state[: 5 * n_classes].reshape(5, n_classes)
    mean = state[5 * n_classes : 5 * n_classes + d]
    first_square = 5 * n_classes + d + 2 * n_classes * d
    by_class = state[5 * n_classes + d : first_square].reshape(2, n_classes, d)
    squares = state[first_square:].reshape(2, d, d)
    return (
        per_class[0],
        per_class[1],
        per_class[2],
        per_class[3:],
        mean,
        by_class[0],
        by_class[1],
        squares[0],
        squares[1],
    )


def _covariance(members, scatter, shrinkage, covariance):
    """Write the shrunk covariance, or the identity where no class has spread; whether one has."""
    d = scatter.shape[0]
    size, trace = members.sum(), 0.0
    for j in range(d):
        trace += scatter[j, j]
    for i in range(d):
        for j in range(i, d):
            covariance[i, j] = (1.0 - shrinkage) * scatter[i, j] / size
        covariance[i, i] += shrinkage * trace / (size * d) if trace > 0.0 else 1.0
    return trace > 0.0


def _weigh(members, means, factor, spread, mean, weights, constants):
    """Weights of x - mean, and constants of the logits; without spread, priors are nothing beside the distances."""
    size = members.sum()
    mean[:] = 0.0
    for c in range(members.size):
        for j in range(mean.size):
            mean[j] += members[c] / size * means[c, j]
    for c in range(members.size):
        for j in range(mean.size):
            weights[c, j] = means[c, j] - mean[j]
        solve(factor, weights[c])
        constants[c] = math.log(members[c] / size) if spread and members[c] > 0.0 else 0.0
        for j in range(mean.size):
            constants[c] -= 0.5 * weights[c, j] * (means[c, j] - mean[j])
