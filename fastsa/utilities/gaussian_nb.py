"""The Gaussian naive Bayes utility, an open utility."""

from __future__ import annotations

import math

from fastsa import _checks
from fastsa.utilities.logit_scores import OF_LOGITS, chosen, count_logits, empty_score, finish, start
from fastsa.utilities.open import OpenUtility

_LEAST_VARIANCE = 1e-300  # its inverse is finite


class GaussianNB(OpenUtility):
    """Validation score of Gaussian naive Bayes on the coalition: scikit-learn's GaussianNB(var_smoothing=...).

    A class has its share of the coalition as prior, and a normal density of its own mean and variance for each feature;
    var_smoothing times the largest variance of a feature in the coalition is added to every variance. Means and squared
    deviations are updated point by point (Welford 1962). Only classes present take part; the smallest wins a tie. Where
    the coalition's points coincide, the priors decide.

    Parameters
    ----------
    var_smoothing : above 0. Default 1e-9.
    score : "accuracy" (default); "balanced_accuracy", the mean over validation classes of the share predicted right;
        "log_loss": minus the mean log-loss in nats, every prediction mixed with 1 % of the coalition's smoothed class
        frequencies (count + 1) / (size + classes), so that it is finite; below two classes the prediction is these
        frequencies; or, one output per validation point, "correct" (1 or 0) and "log_likelihood" (of its class), whose
        means are accuracy and log_loss. The empty coalition scores 1 / classes or -log(classes).

    Raises TypeError or ValueError for var_smoothing <= 0 and an unknown score.

    >>> import fastsa, numpy as np
    >>> X = np.array([[0.0], [1.0], [5.0], [7.0]])
    >>> game = fastsa.games.DataGame(fastsa.utilities.GaussianNB(), X, [0, 0, 1, 1], X, [0, 0, 1, 1])
    >>> game.evaluate([[True, False, True, False], [True, True, True, True]]).ravel().tolist()
    [1.0, 1.0]
    """

    def __init__(self, var_smoothing: float = 1e-9, *, score: str = "accuracy") -> None:
        smoothing = _checks.number("var_smoothing", var_smoothing, above=0.0)
        code, self.n_outputs = chosen(score, OF_LOGITS)
        self.parameters = (smoothing, code)
        self._settings = f"var_smoothing={smoothing!r}, score={score!r}"

    def __repr__(self) -> str:
        return f"GaussianNB({self._settings})"

    def empty_score(self, n_classes: int) -> float:
        return empty_score(self.parameters[1], n_classes)

    def state_size(data):
        # Of each class: members, means and sums of squared deviations; then score's logits, precisions, constants, recalls.
        return data.n_classes * (5 + 3 * data.X.shape[1])

    def reset(data, state):
        state[:] = 0.0

    def add(data, state, player):
        members, means, squares, _, _, _, _ = _parts(data, state)
        c = data.y[player]
        members[c] += 1.0
        for j in range(data.X.shape[1]):
            gap = data.X[player, j] - means[c, j]
            means[c, j] += gap / members[c]
            squares[c, j] += gap * (data.X[player, j] - means[c, j])
        return 0

    def score(data, state, out):
        members, means, squares, logits, precisions, constants, recalls = _parts(data, state)
        _fit(members, means, squares, data.parameters[0], precisions, constants)
        start(out, recalls)
        for v in range(data.y_val.size):
            for c in range(data.n_classes):
                distance = 0.0
                for j in range(data.X.shape[1]):
                    gap = data.X_val[v, j] - means[c, j]
                    distance += gap * gap * precisions[c, j]
                logits[c] = constants[c] - 0.5 * distance
            count_logits(data.parameters[1], members, logits, data.y_val, v, out, recalls)
        finish(data.parameters[1], data.y_val, out, recalls)
        return 0


def _parts(data, state):
    """Members [classes], means, squares [classes, d]; of score: logits, precisions [classes, d], constants, recalls."""
    n_classes, d = data.n_classes, data.X.shape[1]
    per_class = state[: 5 * n_classes].reshape(5, n_classes)
    per_feature = state[5 * n_classes :].reshape(3, n_classes, d)
    return per_class[0], per_feature[0], per_feature[1], per_class[1], per_feature[2], per_class[2], per_class[3:]


def _fit(members, means, squares, var_smoothing, precisions, constants):
    """The normal densities: inverse variances, and log prior - log determinant / 2 (log 2 pi is the same for all)."""
    size = members.sum()
    smoothing = var_smoothing * _largest_variance(members, means, squares)
    for c in range(members.size):
        if members[c] == 0.0:
            continue
        constants[c] = math.log(members[c] / size)
        for j in range(means.shape[1]):
            variance = squares[c, j] / members[c] + smoothing
            precisions[c, j] = 1.0 / variance if variance > _LEAST_VARIANCE else 0.0
            if variance > _LEAST_VARIANCE:
                constants[c] -= 0.5 * math.log(variance)


def _largest_variance(members, means, squares):
    """Of a feature in the whole coalition: within the classes and between them."""
    size = members.sum()
    largest = 0.0
    for j in range(means.shape[1]):
        mean = 0.0
        for c in range(members.size):
            mean += members[c] / size * means[c, j]
        total = 0.0
        for c in range(members.size):
            total += squares[c, j] + members[c] * (means[c, j] - mean) ** 2
        largest = max(largest, total / size)
    return largest
