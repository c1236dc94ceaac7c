"""Estimators that misbehave on purpose, where worker processes can import them."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.naive_bayes import GaussianNB


class DiesOnce(ClassifierMixin, BaseEstimator):
    """Gaussian naive Bayes whose first fit anywhere, as a file tells, is killed; every fit where there is no such file."""

    def __init__(self, marker=""):
        self.marker = marker

    def fit(self, X, y):
        try:
            with open(self.marker, "x"):
                pass
        except FileExistsError:
            self.model_ = GaussianNB().fit(X, y)
            self.classes_ = self.model_.classes_
            return self
        except FileNotFoundError:
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    def predict(self, X):
        return self.model_.predict(X)


class Refuses(ClassifierMixin, BaseEstimator):
    """Does not fit coalitions of more than `most` points."""

    def __init__(self, most=4):
        self.most = most

    def fit(self, X, y):
        if len(y) > self.most:
            raise ArithmeticError("too much")
        self.classes_ = list(range(int(y.max()) + 1))
        return self

    def predict(self, X):
        return X[:, 0] > 0


class Slow(Refuses):
    """Sleeps at every fit."""

    def fit(self, X, y):
        time.sleep(0.2)
        return self


class NotANumber(Refuses):
    """Its probabilities are NaN for coalitions of more than `most` points."""

    def fit(self, X, y):
        self.classes_ = sorted(set(y.tolist()))
        self.n_ = len(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), np.nan if self.n_ > self.most else 1.0 / len(self.classes_))


class AnswersAColumn(RegressorMixin, BaseEstimator):
    """Predicts [rows, 1]."""

    def fit(self, X, y):
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full((len(X), 1), self.mean_)


def half_right(y_val, predictions):
    """A score at module level."""
    return float((predictions == y_val).mean() / 2)
