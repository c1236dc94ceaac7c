"""The intervals of certificates cover as often as they say, over thousands of populations whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_labels import labels_of

from fastsa import estimators
from fastsa.metrics import certify

MEASURES = ("error", "noise", "signal", "explained_variance", "attainable_correlation")
REPETITIONS = 2_000


def known(tau, noise, signal=1.0):
    return dict(
        zip(MEASURES, (tau**2, noise, signal, 1 - tau**2 / signal, np.sqrt(signal / (signal + noise))), strict=True)
    )


def covered(certificate, truth):
    return [getattr(certificate, name).low <= value <= getattr(certificate, name).high for name, value in truth.items()]


def skewed(rng, shape):
    return rng.exponential(size=shape) - 1.0


def normal(rng, shape):
    return rng.normal(size=shape)


TASKS = [  # items, samples, error of the prediction, noise of a sample, its shape
    (300, 2, 0.5, 1.0, normal),
    (300, 5, 0.5, 2.0, skewed),
]


@pytest.mark.parametrize(("n", "k", "tau", "sigma", "shape"), TASKS)
def test_intervals_cover_94_to_96_percent_of_2000_populations(n, k, tau, sigma, shape):
    rng, hits = np.random.default_rng(0), []
    for _ in range(REPETITIONS):
        truth = rng.normal(size=n)
        labels = labels_of((truth + sigma * shape(rng, (k, n)))[..., None])
        hits.append(covered(certify(truth + tau * rng.normal(size=n), labels), known(tau, sigma**2 / k)))
    shares = np.mean(hits, axis=0)
    assert (np.abs(shares - 0.95) <= 0.01 + 1e-9).all(), dict(zip(MEASURES, shares, strict=True))


def test_blocks_of_ids_that_share_draws_cover_too_and_items_taken_as_independent_do_not():
    rng, n, k, block, tau, sigma = np.random.default_rng(1), 1_200, 2, 4, 0.3, 1.0
    right, wrong = [], []
    for repetition in range(REPETITIONS):
        truth = rng.normal(size=n)
        common = np.repeat(rng.normal(size=(k, n // block)), block, axis=1)
        samples = (truth + sigma * (0.9**0.5 * common + 0.1**0.5 * rng.normal(size=(k, n))))[..., None]
        p = truth + tau * rng.normal(size=n)
        for hits, shared in ((right, block), (wrong, 1))[: 1 + (repetition < 200)]:
            hits.append(
                covered(
                    certify(p, labels_of(samples, estimator=estimators.Distributional(shared=shared))), known(tau, 0.5)
                )[0]
            )
    assert abs(np.mean(right) - 0.95) <= 0.01
    assert np.mean(wrong) < 0.85


def test_samples_that_all_items_share_cover_at_least_as_often_as_they_say():
    rng, n, blocks, k = np.random.default_rng(2), 60, 8, 5
    truth, directions = rng.normal(size=n), rng.normal(size=(n, 8)) / np.sqrt(8)
    p = truth + 0.5 * rng.normal(size=n)
    error, hits, values = np.mean((p - truth) ** 2), [], []
    for _ in range(1_000):
        common = rng.normal(size=(blocks, k, 8)) @ directions.T
        samples = truth + 0.3**0.5 * common + 0.7**0.5 * rng.normal(size=(blocks, k, n))
        parts = [
            labels_of(s[..., None], first=k * b, estimator=estimators.PermutationShapley())
            for b, s in enumerate(samples)
        ]
        result = certify(p, *parts)
        hits.append(result.error.low <= error <= result.error.high)
        values.append(result.error.value)
    assert 0.94 <= np.mean(hits) <= 0.98
    assert abs(np.mean(values) / error - 1) < 4 * np.std(values) / error / np.sqrt(1_000)
