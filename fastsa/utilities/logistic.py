"""The logistic regression utility: scikit-learn's default objective, fitted to convergence along every walk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import Walks, permutations
from fastsa.utilities.data import SupervisedData, count_outputs

_LANES = 8
_SCORES = {"accuracy": 0, "log_loss": 1, "correct": 3, "log_likelihood": 4}
_PER_POINT = ("correct", "log_likelihood")
_COEFFICIENTS = 2
_LARGEST_REFERENCE = 2048
_REFERENCE_SEED = 0
_PLAYERS_PER_CHUNK = 256


@dataclass(frozen=True)
class Logistic:
    """Validation score of an L2-regularised logistic regression fitted on the coalition.

    The fit minimises  C * sum of log-losses + |weights|^2 / 2  over weights and free intercepts, to convergence: the
    objective of scikit-learn's LogisticRegression(C=C). Only the classes present take part; with exactly two the
    objective is the binomial one, with one the prediction is constant.

    Parameters
    ----------
    C : inverse strength of the penalty, above 0. Default 1.0.
    score : "accuracy" (default), or "log_loss": minus the mean log-loss in nats, every prediction mixed with 1 % of the
        coalition's smoothed class frequencies (count + 1) / (size + classes), so that it is finite; below two classes the
        prediction is these frequencies; or, one output per validation point, "correct" (1 or 0) and "log_likelihood" (of
        its class), whose means are accuracy and log_loss.
    empty : score of the empty coalition; default 1 / classes, and -log(classes) for log_loss and log_likelihood.

    Raises ValueError for C <= 0, an unknown score, or an empty score that is not finite.

    >>> import fastsa
    >>> fastsa.utilities.Logistic(C=0.5)
    Logistic(C=0.5, score='accuracy', empty=None)
    """

    C: float = 1.0
    score: str = "accuracy"
    empty: float | None = None

    def __post_init__(self) -> None:
        # Settled as floats, so that equal utilities print alike and games of them have one fingerprint.
        object.__setattr__(self, "C", _checks.number("C", self.C, above=0.0))
        _checks.choice("score", self.score, _SCORES)
        if self.empty is not None:
            object.__setattr__(self, "empty", _checks.number("empty", self.empty))

    @property
    def n_outputs(self) -> int | None:
        return None if self.score in _PER_POINT else 1

    def empty_score(self, n_classes: int) -> float:
        if self.empty is not None:
            return self.empty
        return -float(np.log(n_classes)) if self.score.startswith("log") else 1.0 / n_classes

    def prepare(self, data: SupervisedData) -> PreparedLogistic:
        return PreparedLogistic(self, data)


class PreparedLogistic:
    """The data of one game on the pool's principal axes, with reference fits from which cold fits start."""

    def __init__(self, utility: Logistic, data: SupervisedData) -> None:
        self._utility = utility
        self._data = data
        pool = data.X[: data.n_pool]
        self._center = pool.mean(axis=0)
        self._axes = _principal_axes(pool - self._center, all_axes=data.n_pool < data.y.size)
        self._features = self._laid_out(data.X)
        self._val_panels = _panels(self._laid_out(data.X_val), self._axes.shape[1] + 1)
        self._references = np.empty((0, self._features.shape[1])), np.empty(0, dtype=np.int64)
        self._references = self._reference_fits()
        self._problem = self._with_score(_SCORES[utility.score])

    def walk(
        self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: _threads.Cancel
    ) -> NDArray[np.float64]:
        """Values [walks.n_values, outputs]."""
        n_outputs = count_outputs(self._utility, self._data.y_val.size)
        return self._walk(self._problem, walks, n_outputs, n_threads, cancel)

    def coefficients(self, walks: Walks) -> NDArray[np.float64]:
        """Fitted coefficients [walks.n_values, n_classes, d + 1], the intercept last, on the features as given.

        Rows of absent classes are zero; with exactly two classes present, row 0 is the binomial's.
        """
        width = self._features.shape[1]
        flat = self._walk(self._with_score(_COEFFICIENTS), walks, self._data.n_classes * width, None, _threads.Cancel())
        rotated = flat.reshape(walks.n_values, self._data.n_classes, width)
        weights = rotated[..., 1 : self._axes.shape[1] + 1] @ self._axes.T
        intercepts = rotated[..., 0] - weights @ self._center
        return np.concatenate([weights, intercepts[..., None]], axis=-1)

    def _walk(
        self,
        problem: _core.LogisticProblem,
        walks: Walks,
        n_outputs: int,
        n_threads: int | None,
        cancel: _threads.Cancel,
    ) -> NDArray[np.float64]:
        values = np.empty((walks.n_values, n_outputs), dtype=np.float64)
        view = _core.Walks(*walks.arrays, n_outputs, walks.many_branches)
        most_members = int(walks.sizes.max(initial=0)) + 1
        n_bytes = _core.logistic_workspace(problem, most_members)

        def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
            status = _core.walk_logistic(
                problem, view, begin, end, values, _threads.scratch(n_bytes), most_members, flag
            )
            if status == _core.NOT_CONVERGED:
                raise FloatingPointError(
                    "a logistic fit did not converge; scale the features (to unit variance, say) or lower C."
                )

        _threads.run(
            kernel, walks.rows, chunk=walks.rows_per_chunk(_PLAYERS_PER_CHUNK), n_threads=n_threads, cancel=cancel
        )
        return values

    def _laid_out(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """A constant 1, then the centred and rotated features, then zeros up to whole lanes: [n, width]."""
        used = self._axes.shape[1] + 1
        laid_out = np.zeros((X.shape[0], -(-used // _LANES) * _LANES))
        laid_out[:, 0] = 1.0
        np.matmul(X - self._center, self._axes, out=laid_out[:, 1:used])
        return laid_out

    def _with_score(self, score: int) -> _core.LogisticProblem:
        data = self._data
        return _core.LogisticProblem(
            features=self._features,
            classes=data.y,
            val_panels=self._val_panels,
            val_classes=data.y_val,
            n_features=self._axes.shape[1] + 1,
            n_classes=data.n_classes,
            penalty=1.0 / self._utility.C,
            reach=float(np.linalg.norm(self._features, axis=1).max() * np.sqrt(self._utility.C)),
            reference_weights=self._references[0],
            reference_sizes=self._references[1],
            score=score,
        )

    def _reference_fits(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Fits on prefixes of one random order of the pool, doubling in size: weights [fits * classes, width], sizes."""
        data, width = self._data, self._features.shape[1]
        most = min(data.n_pool, _LARGEST_REFERENCE)
        order = permutations(data.n_pool, 1, seed=_REFERENCE_SEED)[0, :most]
        sizes = [most >> halvings for halvings in range(most.bit_length()) if most >> halvings >= 32][::-1] or [most]
        scored = np.asarray(sizes, dtype=np.int32)
        walk = Walks(
            order,
            np.array([0, most]),
            scored,
            np.array([0, scored.size]),
            np.empty(0, np.int32),
            np.zeros(2, np.int64),
        )
        flat = self._walk(self._with_score(_COEFFICIENTS), walk, data.n_classes * width, 1, _threads.Cancel())
        return flat.reshape(-1, width), scored.astype(np.int64)


def _principal_axes(centred: NDArray[np.float64], *, all_axes: bool) -> NDArray[np.float64]:
    """Orthonormal axes [d, axes] of the pool, the largest first.

    Off the span of all points that can join, the penalty keeps the weights at zero: those axes are left out, unless points
    outside the pool may lie there (`all_axes`).
    """
    spectrum, ascending = np.linalg.eigh(centred.T @ centred)
    spanned = spectrum > (-np.inf if all_axes else spectrum[-1] * spectrum.size * np.finfo(np.float64).eps)
    return np.ascontiguousarray(ascending[:, spanned][:, ::-1])


def _panels(rows: NDArray[np.float64], n_features: int) -> NDArray[np.float64]:
    """Eight points side by side: [blocks, n_features * 8], the last block filled with zeros."""
    blocks = -(-rows.shape[0] // _LANES)
    filled = np.zeros((blocks * _LANES, n_features))
    filled[: rows.shape[0]] = rows[:, :n_features]
    return np.ascontiguousarray(filled.reshape(blocks, _LANES, n_features).transpose(0, 2, 1)).reshape(blocks, -1)
