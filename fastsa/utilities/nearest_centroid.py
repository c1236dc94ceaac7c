"""The nearest-centroid utility, written as any user would write one: the tutorial of open utilities."""

from __future__ import annotations

import math

from fastsa.utilities.open import OpenUtility


class NearestCentroid(OpenUtility):
    """Validation accuracy of the nearest class centroid of the coalition, by Euclidean distance.

    Only classes present have a centroid; the smallest class wins a tie (scikit-learn's NearestCentroid).

    >>> import fastsa, numpy as np
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> game = fastsa.games.DataGame(fastsa.utilities.NearestCentroid(), X, [0, 0, 1], X, [0, 0, 1])
    >>> game.evaluate(np.array([[True, False, True]])).tolist()
    [[1.0]]
    """

    def state_size(data):
        return data.n_classes * (1 + 2 * data.X.shape[1])

    def reset(data, state):
        state[:] = 0.0

    def add(data, state, player):
        members, sums, _ = _parts(data, state)
        c = data.y[player]
        members[c] += 1.0
        for j in range(data.X.shape[1]):
            sums[c, j] += data.X[player, j]
        return 0

    def score(data, state, out):
        members, sums, centroids = _parts(data, state)
        for c in range(data.n_classes):
            for j in range(data.X.shape[1]):
                centroids[c, j] = sums[c, j] / max(members[c], 1.0)
        correct = 0
        for v in range(data.y_val.size):
            nearest, least = -1, math.inf
            for c in range(data.n_classes):
                if members[c] == 0.0:
                    continue
                distance = 0.0
                for j in range(data.X.shape[1]):
                    gap = data.X_val[v, j] - centroids[c, j]
                    distance += gap * gap
                if distance < least:
                    nearest, least = c, distance
            correct += nearest == data.y_val[v]
        out[0] = correct / data.y_val.size
        return 0


def _parts(data, state):
    """Members [classes], their sums and score's centroids [classes, d]: views of the state."""
    n_classes, d = data.n_classes, data.X.shape[1]
    rows = state[n_classes:].reshape(2, n_classes, d)
    return state[:n_classes], rows[0], rows[1]
