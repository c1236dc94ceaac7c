"""How noisy the labels of every item are, learned from its inputs and the labels of other items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize import weights_file
from fastsa.amortize.attribution.task import numbers_of
from fastsa.amortize.noise_weights import one_sample_variance
from fastsa.labels import Labels

_HIDDEN = (64, 64)
_EPOCHS = 100
_BATCH = 64


def item_variance(X: Any, labels: Labels, *, seed: int = 0, epochs: int = _EPOCHS) -> NDArray[np.float64]:
    """The variance of one sample of every item (player), predicted by networks that have not seen its labels.

    Two networks (inputs flattened, two layers of 64) each learn log variances from one half of the items, and predict those
    of the other half. The loss is the negative log-likelihood of a sample variance s^2 of normal samples with k degrees of
    freedom, k (log v + s^2 / v) / 2, least at the mean of s^2. Float64 in the shape of `labels.count`, for `noise_weights`.

    X : [items, ...] real inputs, as the network's that is to be weighted. epochs : passes over a half; default 100.

    Raises BackendUnavailable where torch is missing; ValueError where fewer than 4 items have two samples.

    >>> import fastsa, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1], X, fastsa.games.Baseline())
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=3).collect()
    >>> fastsa.amortize.item_variance(X, labels, epochs=3).shape
    (100, 2)
    """
    weights_file.require_torch()
    epochs = _checks.count("epochs", epochs)
    flat = np.concatenate([x.reshape(x.shape[0], -1) for x in numbers_of("X", X)], axis=1).astype(np.float64)
    variance, freedom = (a.reshape(a.shape[0], -1) for a in one_sample_variance(labels))
    if flat.shape[0] != variance.shape[0]:
        raise ValueError(f"labels are of {variance.shape[0]} items and X has {flat.shape[0]}; expected the same items.")
    known = np.flatnonzero(freedom.any(axis=1))
    if known.size < 4:
        raise ValueError(f"{known.size} items have two samples; expected at least 4 to learn the noise from.")
    half = np.zeros(flat.shape[0], np.int64)
    half[np.random.default_rng(_checks.seed(seed)).permutation(known)[::2]] = 1
    found = np.empty_like(variance)
    for own in (0, 1):
        taught = np.flatnonzero((half != own) & freedom.any(axis=1))
        found[half == own] = _predicted(
            flat[taught], variance[taught], freedom[taught], flat[half == own], seed, epochs
        )
    return found.reshape(labels.count.shape)


def _predicted(
    X: NDArray[np.float64],
    variance: NDArray[np.float64],
    freedom: NDArray[np.float64],
    new: NDArray[np.float64],
    seed: int,
    epochs: int,
) -> NDArray[np.float64]:
    """Variances [m, cells] of new rows, from those of rows X [n, cells]."""
    import torch

    from fastsa.amortize.networks import Mlp, apply, own_state, zero_head
    from fastsa.amortize.training import Schedule

    pooled = (freedom * variance).sum(axis=0) / np.maximum(freedom.sum(axis=0), 1.0)
    unit = np.where(pooled > 0, pooled, 1.0)
    with own_state(seed, 1):
        generator = torch.Generator().manual_seed(seed)
        body = Mlp(X.shape[1], _HIDDEN, generator)
        body.standardise(X)
        module = torch.nn.Sequential(body, zero_head(_HIDDEN[-1], variance.shape[1]))
        rows, seen, weight = (
            torch.from_numpy(a.astype(np.float32)) for a in (X, variance / unit, freedom / freedom.mean())
        )
        schedule = Schedule(epochs, 1e-3, _BATCH, weight_decay=1e-2)
        for batch, optimizer in schedule.batches(
            torch.arange(len(rows)), list(module.parameters()), generator, lambda: None
        ):
            log = module(rows[batch])
            (weight[batch] * (log + seen[batch] * torch.exp(-log))).mean().backward()
            optimizer.step()
        learned = np.exp(np.clip(apply(module, new.astype(np.float32)), -20.0, 20.0))
    return np.where(pooled > 0, pooled * learned, 0.0)
