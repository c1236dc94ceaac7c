"""Any scikit-learn estimator as a utility, refitted to every coalition, in worker processes where asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel, Cancelled
from fastsa.ops import Walks
from fastsa.utilities import scores
from fastsa.utilities.coalitions import Coalitions, expanded
from fastsa.utilities.data import SupervisedData, count_outputs
from fastsa.utilities.refits import Refit, one_native_thread
from fastsa.utilities.workers import WorkerPool

_NATIVE = {
    "GaussianNB": "GaussianNB",
    "KNeighborsClassifier": "KNN",
    "LinearDiscriminantAnalysis": "LinearDiscriminant",
    "LogisticRegression": "Logistic",
    "NearestCentroid": "NearestCentroid",
    "Ridge": "RidgeRegression",
    "RidgeClassifier": "Ridge",
}


class SklearnUtility:
    """Validation score of any scikit-learn classifier or regressor, refitted to every coalition.

    Slow, and why: a fit of its own at every scored position, milliseconds where the native utilities take microseconds,
    which carry one fit on from player to player. Where one of them is the same learner the repr names it; for others
    write an OpenUtility, or draw few labels and let a network learn from them.

    A clone is fitted to the coalition's points in ascending order with repeats, so that a value depends on the multiset
    and on nothing else: the same bytes for any number of workers and any batch. A coalition with one class predicts
    that class (of probabilities: its smoothed frequencies); no such coalition is fitted. Coalitions that repeat within
    a batch are fitted once. BLAS and OpenMP run on one thread meanwhile, in this process too (threadpoolctl).

    Parameters
    ----------
    estimator : cloned; y are classes encoded 0 .. C - 1 in sorted order for a classifier, floats for a regressor.
    score : of a classifier "accuracy" (default), "balanced_accuracy", "log_loss" (mixed with 1 % of the smoothed class
        frequencies, as Logistic), or one output per validation point: "correct", "log_likelihood"; of a regressor "r2"
        (default), "mean_squared_error" (minus it), or one output per point: "squared_errors" (minus them). Or a function
        (y_val, predictions) -> float of encoded classes or targets [m].
    empty : score of the empty coalition. Default: 1 / classes for accuracies, -log(classes) for log-losses, the score of
        predicting 0 for targets; for a function of classes the mean over all classes of predicting one alone.
    random_state : given to the estimator and its parts wherever their own is None; default 0.
    n_workers : processes that fit. Default 1: this one. More are spawned with the first walk, hold one copy of the data
        in shared memory, and end with the game. They are sent the estimator by pickling, so its class and a score function
        stand in a module that can be imported, and a script keeps its work under if __name__ == "__main__". A worker
        that dies is reported in a RuntimeWarning, replaced, and its coalitions scored again. `n_threads` has no effect.

    Raises TypeError for an estimator without fit and predict, or one that cannot be sent to workers; ValueError for an
    unknown score, or one that needs predict_proba of an estimator without it. Walking raises RefitError, a RuntimeError
    that names the coalition, where a fit fails; RuntimeError where workers keep dying. Ctrl-C waits for the fit under way
    in this process, and for none in workers.

    >>> import fastsa, numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> utility = fastsa.utilities.SklearnUtility(DecisionTreeClassifier())
    >>> game = fastsa.games.DataGame(utility, X, [0, 0, 1], X, [0, 0, 1])
    >>> game.evaluate([[True, False, True], [False, False, True]]).round(3).ravel().tolist()
    [1.0, 0.333]
    """

    def __init__(
        self,
        estimator: Any,
        score: Any = None,
        *,
        empty: float | None = None,
        random_state: int = 0,
        n_workers: int = 1,
    ) -> None:
        base = _sklearn_base()
        if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
            raise TypeError(
                f"estimator is {estimator!r}; expected a scikit-learn estimator, such as LogisticRegression()."
            )
        if not hasattr(estimator, "predict"):
            raise TypeError(f"estimator is {estimator!r}, which has no predict; expected a classifier or a regressor.")
        self.takes = "targets" if base.is_regressor(estimator) else "classes"
        self._given = ("r2" if self.takes == "targets" else "accuracy") if score is None else score
        self.score = scores.resolve(self._given, self.takes)
        if self.score.reads == "probabilities" and not hasattr(estimator, "predict_proba"):
            raise ValueError(
                f"score is {score!r}, which needs class probabilities, and {estimator!r} has no predict_proba; use "
                "'accuracy' or 'balanced_accuracy', or wrap it in sklearn.calibration.CalibratedClassifierCV."
            )
        self.empty = None if empty is None else _checks.number("empty", empty)
        self.random_state = _checks.count("random_state", random_state, least=0, most=2**32 - 1)
        self.n_workers = _checks.count("n_workers", n_workers)
        self.n_outputs = self.score.n_outputs
        self.estimator = _seeded(base.clone(estimator), self.random_state)
        if self.n_workers > 1:
            _check_sendable(self.estimator, self._given)

    def __repr__(self) -> str:
        native = _NATIVE.get(type(self.estimator).__name__, "an OpenUtility")
        return (
            f"SklearnUtility({_written(self.estimator)}, score={self.score.name!r}, empty={self.empty!r}, "
            f"random_state={self.random_state}; slow: refits at every scored position, {native} would not)"
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def empty_values(self, data: SupervisedData) -> Any:
        return self.score.of_nothing(data.y_val, data.n_classes) if self.empty is None else self.empty

    def prepare(self, data: SupervisedData) -> PreparedSklearn:
        self.score.check(data.y_val)
        return PreparedSklearn(self, data)


class PreparedSklearn:
    """An estimator on its data, and the workers that fit it."""

    def __init__(self, utility: SklearnUtility, data: SupervisedData) -> None:
        self._n_outputs = count_outputs(utility, data.y_val.size)
        self._refit = Refit(utility.estimator, utility.score, data)
        self.workers: WorkerPool | None = None
        if utility.n_workers > 1:
            self.workers = WorkerPool(utility.n_workers, utility.estimator, utility._given, utility.takes, data)

    def walk(self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: Cancel) -> NDArray[np.float64]:
        """Values [walks.n_values, outputs]."""
        values = np.zeros((walks.n_values, self._n_outputs))
        for part in expanded(walks, max_bytes):
            if self.workers is None:
                scored = self._here(part, cancel)
            else:
                scored = self.workers.run(part, self._n_outputs, cancel)
            values[part.values] = scored[part.rows]
        return values

    def _here(self, coalitions: Coalitions, cancel: Cancel) -> NDArray[np.float64]:
        scored = np.empty((len(coalitions), self._n_outputs))
        with one_native_thread():
            for row in range(len(coalitions)):
                if cancel.is_set():
                    raise Cancelled
                scored[row] = self._refit(coalitions[row])
        return scored


def _sklearn_base() -> Any:
    try:
        import sklearn.base
    except ImportError:
        raise _checks.BackendUnavailable("SklearnUtility needs scikit-learn: pip install 'fastsa[demo]'.") from None
    return sklearn.base


def _seeded(estimator: Any, random_state: int) -> Any:
    """The estimator with every random_state that is None set: one of chance would give a coalition many values."""
    unset = [key for key, value in estimator.get_params().items() if key.endswith("random_state") and value is None]
    return estimator.set_params(**dict.fromkeys(unset, random_state)) if unset else estimator


def _written(estimator: Any) -> str:
    """All settings on one line: a game is told from another by them, and scikit-learn would cut them short."""
    from sklearn.base import BaseEstimator

    text = estimator.__repr__(N_CHAR_MAX=10**9) if isinstance(estimator, BaseEstimator) else repr(estimator)
    return " ".join(text.split())


def _check_sendable(estimator: Any, score: Any) -> None:
    from multiprocessing.reduction import ForkingPickler

    try:
        ForkingPickler.dumps((estimator, score))
    except Exception as error:
        raise TypeError(
            f"the estimator or the score cannot be sent to worker processes ({error}); define them in a module that can be "
            "imported, or use n_workers=1."
        ) from error
