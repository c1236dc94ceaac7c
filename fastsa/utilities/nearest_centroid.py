"""The nearest-centroid utility, written as any user would write one: the tutorial of open utilities."""

from __future__ import annotations

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
        return data.n_classes * (1 + data.X.shape[1])  # members of each class, then their sums

    def reset(data, state):
        state[:] = 0.0

    def add(data, state, player):
        d = data.X.shape[1]
        c = data.y[player]
        state[c] += 1.0
        sums = data.n_classes + c * d
        for j in range(d):
            state[sums + j] += data.X[player, j]
        return 0

    def score(data, state, out):
        d = data.X.shape[1]
        correct = 0
        for v in range(data.y_val.size):
            nearest, least = -1, 0.0
            for c in range(data.n_classes):
                if state[c] == 0.0:
                    continue
                distance = 0.0
                for j in range(d):
                    gap = data.X_val[v, j] - state[data.n_classes + c * d + j] / state[c]
                    distance += gap * gap
                if nearest < 0 or distance < least:
                    nearest, least = c, distance
            correct += nearest == data.y_val[v]
        out[0] = correct / data.y_val.size
        return 0
