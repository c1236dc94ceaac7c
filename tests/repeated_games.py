"""One game many times over: a ModelGame whose items are copies of one input, so that one stream is many independent runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastsa import LabelStream, exact, games


@dataclass(frozen=True)
class Runs:
    """Labels of independent runs: mean and stderr [runs, players, outputs], and the exact values [players, outputs]."""

    mean: np.ndarray
    stderr: np.ndarray
    truth: np.ndarray

    @property
    def bias(self):
        """(mean over runs of estimate - truth, its standard error), each [players, outputs]."""
        error = self.mean - self.truth
        return error.mean(axis=0), error.std(axis=0, ddof=1) / np.sqrt(error.shape[0])


def table_model(n_players, outputs=2, seed=0):
    """(model, input): a random number for every coalition, of an input of ones behind a baseline of zeros."""
    values = np.random.default_rng(seed).normal(size=(2**n_players, outputs))
    powers = 1 << np.arange(n_players)
    return (lambda x: values[(x > 0.5) @ powers]), np.ones(n_players)


def smooth(x):
    """Two outputs with interactions, of inputs [rows, any number of features]."""
    flat = x.reshape(x.shape[0], -1)
    return np.stack([np.tanh(flat.sum(axis=1)) + flat[:, 0] * flat[:, 1], np.abs(flat[:, -1] - flat[:, 0])], axis=1)


BACKGROUND = np.random.default_rng(11).normal(size=(5, 4))
INPUT = np.array([1.0, -0.5, 0.3, 2.0])


def table_case(runs, n_players=5, outputs=2, seed=0):
    model, x = table_model(n_players, outputs, seed)
    return games.ModelGame(model, np.repeat(x[None], runs, axis=0), games.Baseline())


def marginal_case(runs, whole=False):
    return games.ModelGame(smooth, np.repeat(INPUT[None], runs, axis=0), games.Marginal(BACKGROUND, whole=whole))


def spike_case(runs):
    """A player who is worth something alone and to nobody else: KernelSHAP is biased on it."""
    return games.ModelGame(lambda x: ((x[:, 0] > 0) & (x.sum(axis=1) == 1)) * 1.0, np.ones((runs, 5)), games.Baseline())


def runs_of(game, estimator, samples, seed=0, truth=None):
    labels = LabelStream(game, estimator, samples=samples, seed=seed, batch=1 << 17, n_threads=2).collect()
    if truth is None:
        truth = exact(games.ModelGame(game.model._fn, game.bound.inputs[:1], game.masker), estimator)[0]
    return Runs(labels.mean, labels.stderr, truth)
