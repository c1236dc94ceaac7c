"""What adding a point to coalitions does to a validation score, to first order, through reference fits."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.classifiers import Classifiers
from fastsa.amortize.encoded import encoded
from fastsa.amortize.principal_axes import principal_axes

_FITS, _STRATA = 64, 4
_MOST_AXES = 256
_LARGEST, _PER_CLASS = 4096, 5  # a coalition's points: more cost time, fewer have no classifier
_BANDS = (0.25, 1.0)  # of the decision boundary, in standard deviations of the margins
_SCORES = 2 + len(_BANDS)
_ROWS_PER_CHUNK = 4096
_STEPS, _TOLERANCE = 100, 1e-3  # of conjugate gradients
_LEAST_LOGIT = -30.0


@dataclass(frozen=True)
class Influences:
    """First-order influence of points, under every class, on validation scores of logistic regressions.

    A regression fitted on a coalition moves by H^-1 (e_y - p(x)) z(x)^T when (x, y) joins, H being the Hessian of its
    objective, p(x) its probabilities and z the features with a constant (Koh and Liang, ICML 2017), and a score of gradient
    g rises by

        (e_y - p(x)) . G z(x),   G = H^-1 g,

    the solution by conjugate gradients. There are 64 coalitions, whose sizes are quantiles of the law of sizes of the values,
    and four scores: the log-likelihood of the validation points, the mean probability of their classes, and the accuracy with
    its step widened to a bell of 0.25 and of 1 standard deviation of the margins. Influences are averaged within four strata
    of sizes. No labels enter.

    `of(X)` gives influences float64 [m, n_classes, 16] and mean probabilities [m, n_classes].
    """

    center: NDArray[np.float64]
    axes: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    present: NDArray[np.bool_]
    gradients: NDArray[np.float64]

    @staticmethod
    def fit(
        X: Any,
        y: Any,
        X_val: Any,
        y_val: Any,
        *,
        n_classes: int,
        size_law: NDArray[np.float64],
        C: float | None = None,
        seed: int = 0,
    ) -> Influences:
        """Fit on points X [n, d], y [n] of classes 0 .. n_classes - 1, and validation points.

        size_law : P(size = t) of the coalitions that a point joins, t = 0, 1, ..., as estimators give it. C : inverse strength
        of the penalty on features as they are, as of fastsa.utilities.Logistic; default 1 on features divided by the root of
        their mean squared norm.

        Raises ValueError or TypeError for arrays of other shapes, and a law that is none.

        >>> import numpy as np
        >>> X = np.linspace(-1.0, 1.0, 40)[:, None]; y = (X[:, 0] > 0).astype(np.int32)
        >>> law = np.full(40, 1 / 40)
        >>> influences, _ = Influences.fit(X, y, X, y, n_classes=2, size_law=law).of(X)
        >>> bool((influences[:, 0, 0] > influences[:, 1, 0])[:20].all())   # on the left, class 0 helps more than class 1
        True
        """
        X, X_val = _checks.features("X", X), _checks.features("X_val", X_val)
        y, y_val = encoded("y", y, len(X), n_classes), encoded("y_val", y_val, len(X_val), n_classes)
        center, axes = principal_axes(X, _MOST_AXES)
        norm = float(np.linalg.norm(axes[:, 0]))
        strength = 1.0 if C is None or norm == 0 else C / norm**2
        rng = np.random.default_rng([seed, 64])
        sizes = _quantiles(size_law, min(_PER_CLASS * n_classes, len(X)), min(_LARGEST, len(X)))
        parts = [np.sort(rng.choice(len(X), size, replace=False)).astype(np.int32) for size in sizes]
        members, places = np.unique(np.concatenate(parts), return_inverse=True)
        z, z_val, classes = (X[members] - center) @ axes, (X_val - center) @ axes, y[members]
        parts = np.split(places.astype(np.int32), np.cumsum(sizes)[:-1])
        classifiers = Classifiers.fit(np.ascontiguousarray(z), classes, parts, n_classes, C=strength)
        gradients = np.stack(
            [
                _step(classifiers, which, _with_constant(z[part]), _with_constant(z_val), y_val, strength)
                for which, part in enumerate(parts)
            ]
        )
        return Influences(center, axes, classifiers.coefficients, classifiers.present, gradients)

    def of(self, X: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        fits, n_classes = self.present.shape
        influences = np.zeros((len(X), n_classes, _STRATA, _SCORES))
        probabilities = np.zeros((len(X), n_classes))
        classifiers = Classifiers(self.coefficients, self.present)
        for begin in range(0, len(X), _ROWS_PER_CHUNK):
            rows = slice(begin, begin + _ROWS_PER_CHUNK)
            z = (X[rows] - self.center) @ self.axes
            for which in range(fits):
                p = _softmax(classifiers.logits(which, z))
                moved = (_with_constant(z) @ self.gradients[which]).reshape(len(z), n_classes, _SCORES)
                moved -= (p[:, :, None] * moved).sum(axis=1, keepdims=True)
                influences[rows, :, which * _STRATA // fits] += moved * (_STRATA / fits)
                probabilities[rows] += p / fits
        return influences.reshape(len(X), n_classes, -1), probabilities

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _quantiles(law: NDArray[np.float64], least: int, most: int) -> NDArray[np.int64]:
    """Sizes in ascending order that stand for a law of sizes."""
    law = np.asarray(law, dtype=np.float64)
    if law.ndim != 1 or not law.size or not np.isfinite(law).all() or law.min() < 0 or not law.sum() > 0:
        raise ValueError("size_law is no law of sizes; expected probabilities [sizes], at least 0 and not all 0.")
    below = np.cumsum(law / law.sum())
    return np.clip(np.searchsorted(below, (np.arange(_FITS) + 0.5) / _FITS), max(1, least), most)


def _step(
    classifiers: Classifiers,
    which: int,
    z: NDArray[np.float64],
    z_val: NDArray[np.float64],
    y_val: NDArray[np.int32],
    strength: float,
) -> NDArray[np.float64]:
    """G [k + 1, n_classes * scores] of one fit on points z [m, k + 1]; zero for the classes that its coalition lacks."""
    present = classifiers.present[which]
    p = _softmax(classifiers.logits(which, z[:, :-1]))
    gradient = _score_gradients(classifiers.logits(which, z_val[:, :-1]), z_val, y_val)
    if not present.all():
        # Moving all intercepts alike changes nothing; without the classes that are not there a gradient would ask for it.
        gradient[:, ~present] = 0.0
        gradient[:, present] -= gradient[:, present].mean(axis=1, keepdims=True)
    # The binomial fit of two classes has one set of weights, half of it on either side here: penalised twice as much.
    penalty = (2.0 if present.sum() == 2 else 1.0) / strength
    return _solved(z, p, gradient, penalty)


def _score_gradients(logits: NDArray[np.float64], z: NDArray[np.float64], y: NDArray[np.int32]) -> NDArray[np.float64]:
    """[k + 1, n_classes, scores]: the gradients of the scores in the weights of every class."""
    m, n_classes = logits.shape
    rows, p = np.arange(m), _softmax(logits)
    logits = np.maximum(logits, _LEAST_LOGIT)
    own = np.eye(n_classes)[y]
    rival = np.where(own > 0, -np.inf, logits).argmax(axis=1)
    margin = logits[rows, y] - logits[rows, rival]
    apart = own - np.eye(n_classes)[rival]
    directions = [own - p, p[rows, y, None] * (own - p)]
    for band in _BANDS:
        width = band * max(float(margin.std()), 1e-12)
        directions.append(np.exp(-((margin / width) ** 2) / 2)[:, None] / (width * np.sqrt(2 * np.pi)) * apart)
    return np.tensordot(z, np.stack(directions, axis=2), axes=(0, 0)) / m


def _solved(
    z: NDArray[np.float64], p: NDArray[np.float64], gradient: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """H^-1 gradient by conjugate gradients under the diagonal, every score on its own: [k + 1, n_classes * scores]."""
    width, n_classes, scores = gradient.shape
    ridge = np.full((width, 1), penalty)
    ridge[-1] *= 1e-6  # the intercepts have no penalty, and their common part no curvature

    def curved(step: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = (z @ step).reshape(len(z), n_classes, scores)
        moved = p[:, :, None] * (moved - (p[:, :, None] * moved).sum(axis=1, keepdims=True))
        return z.T @ moved.reshape(len(z), -1) + ridge * step

    def dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tile((a * b).reshape(width, n_classes, scores).sum(axis=(0, 1)), n_classes)

    diagonal = np.repeat((z**2).T @ (p * (1 - p)), scores, axis=1) + ridge
    left = gradient.reshape(width, -1)
    solution, direction = np.zeros_like(left), left / diagonal
    size = dot(left, direction)
    enough = _TOLERANCE**2 * size
    for _ in range(_STEPS):
        if (size <= enough).all():
            break
        along = curved(direction)
        pace = np.divide(size, dot(direction, along), out=np.zeros_like(size), where=size > enough)
        solution = solution + pace * direction
        left = left - pace * along
        new = dot(left, left / diagonal)
        direction = left / diagonal + np.divide(new, size, out=np.zeros_like(size), where=size > 0) * direction
        size = new
    return solution


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _with_constant(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([z, np.ones((len(z), 1))], axis=1)
