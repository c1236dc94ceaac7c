"""The logistic utility by scikit-learn: a converged fit per coalition, and its scores by their definitions."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

PRIOR_SHARE = 0.01


def fit(members, X, y, C, n_classes) -> np.ndarray:
    """Coefficients [n_classes, d + 1], the intercept last: row 0 for two classes present, a row per class for more.

    scikit-learn sees centred features: the penalty spares the intercept, so that moving the data only moves it along.
    """
    coefficients = np.zeros((n_classes, X.shape[1] + 1))
    present = np.unique(y[members])
    if present.size < 2:
        return coefficients
    center = X.mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at a tolerance of 1e-10 the line search may stop for want of digits
        model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=2000)
        model.fit(X[members] - center, y[members])
    rows = [0] if present.size == 2 else present
    coefficients[rows, :-1] = model.coef_
    coefficients[rows, -1] = model.intercept_ - model.coef_ @ center
    return coefficients


def centred_intercepts(coefficients, present) -> np.ndarray:
    """A softmax does not fix the mean of its intercepts; here it is zero over the classes present."""
    coefficients = coefficients.copy()
    if len(present) > 2:
        coefficients[present, -1] -= coefficients[present, -1].mean()
    return coefficients


def objective(coefficients, members, X, y, C) -> float:
    """C * sum of log-losses + |weights|^2 / 2, at coefficients as `fit` gives them."""
    present = np.unique(y[members])
    scores = class_scores(coefficients, present, X[members])
    highest = scores.max(axis=1, keepdims=True)
    log_probability = scores - highest - np.log(np.exp(scores - highest).sum(axis=1, keepdims=True))
    own = np.searchsorted(present, y[members])
    return float(-C * log_probability[np.arange(len(members)), own].sum() + (coefficients[:, :-1] ** 2).sum() / 2)


def class_scores(coefficients, present, X) -> np.ndarray:
    """Linear scores [points, present]; with two classes the first scores 0."""
    if len(present) == 2:
        return np.stack([np.zeros(len(X)), X @ coefficients[0, :-1] + coefficients[0, -1]], axis=1)
    return X @ coefficients[present, :-1].T + coefficients[present, -1]


def value(members, X, y, X_val, y_val, *, C=1.0, score="accuracy", n_classes, empty=None) -> float:
    """The score of one coalition, empty and single-class ones by the docstring of Logistic."""
    if len(members) == 0:
        return empty if empty is not None else (1 / n_classes if score == "accuracy" else -np.log(n_classes))
    present, counts = np.unique(y[members], return_counts=True)
    smoothed = np.ones(n_classes)
    smoothed[present] += counts
    smoothed /= len(members) + n_classes
    if present.size == 1:
        return float((y_val == present[0]).mean() if score == "accuracy" else np.log(smoothed[y_val]).mean())
    scores = class_scores(fit(members, X, y, C, n_classes), present, X_val)
    if score == "accuracy":
        return float((present[scores.argmax(axis=1)] == y_val).mean())
    fitted = np.zeros((len(X_val), n_classes))
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    fitted[:, present] = weights / weights.sum(axis=1, keepdims=True)
    mixed = (1 - PRIOR_SHARE) * fitted + PRIOR_SHARE * smoothed
    return float(np.log(mixed[np.arange(len(y_val)), y_val]).mean())


def values(multisets, *data, **options) -> np.ndarray:
    return np.array([[value(m, *data, **options)] for m in multisets])
