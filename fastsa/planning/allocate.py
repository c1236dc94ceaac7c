"""Selective refinement: further samples for the items whose values they improve most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.correction.error_sizes import Cells, error_size, label_noise, prediction_groups
from fastsa.labels import Labels, LabelStream
from fastsa.metrics.certify import like_labels
from fastsa.metrics.independence import refuse_biased, refuse_seen, shares_all_draws, units

_HALVINGS = 200


def allocate(error: Any, noise: Any, count: Any, samples: int) -> NDArray[np.int64]:
    """How many of `samples` further samples each item gets, int64 [items], so that refined values have least error.

    error : float [items], the mean squared error of an item's prediction, at least 0
    noise : float [items], the variance of one of its samples
    count : int [items], samples it has

    A refined value of k samples has the error 1 / (1 / error + k / noise), so that one more takes off about
    noise / (noise / error + k)^2. The sum is least where this is equal among all items that get any (as Neyman's allocation):
    k = sqrt(noise) / level - noise / error, no less than `count`. What rounding down leaves over goes to the largest gains.

    The sizes must not be an item's own, seen in the samples that its value is made of: pool them over groups, as
    `refine_where` does, or take them from another role.

    Raises ValueError for sizes that are negative or not finite.

    >>> allocate([1.0, 1.0, 0.0], [4.0, 1.0, 4.0], [2, 2, 2], 9).tolist()
    [6, 3, 0]
    """
    error, noise, count = (
        _checks.vector(name, v) for name, v in (("error", error), ("noise", noise), ("count", count))
    )
    if not error.size == noise.size == count.size:
        raise ValueError(
            f"error, noise and count have {error.size}, {noise.size} and {count.size} items; expected as many."
        )
    if min(error.min(initial=0), noise.min(initial=0), count.min(initial=0)) < 0:
        raise ValueError("error, noise or count holds a negative number; expected variances and counts.")
    samples = _checks.count("samples", samples, least=0)
    gains = (error > 0) & (noise > 0)
    if not gains.any() or not samples:
        return np.zeros(error.size, np.int64)
    prior = np.divide(noise, error, out=np.full(noise.size, np.inf), where=gains)
    more = np.zeros(error.size, np.int64)
    more[gains] = np.floor(_filled(np.sqrt(noise[gains]), prior[gains] + count[gains], samples)).astype(np.int64)
    for _ in range(samples - int(more.sum())):
        have = prior + count + more
        more[np.argmax(np.where(gains, noise / have - noise / (have + 1), -np.inf))] += 1
    return more


def _filled(root: NDArray[np.float64], start: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """max(0, root / level - start), with the level at which it sums to `samples`, or a little less."""
    low, high = 0.0, float(((start + samples) / root).max())  # bounds of 1 / level
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.maximum(0.0, root * middle - start).sum() > samples:
            high = middle
        else:
            low = middle
        if high - low <= 1e-12 * high:
            break
    return np.maximum(0.0, root * low - start)


def refine_where(
    predictions: Any, labels: Labels, samples: int, *, groups: Any = None, seen: Any = None
) -> NDArray[np.int64]:
    """How many of `samples` further samples each item of `labels` gets, int64 [items]: see `allocate`.

    Errors and noises are pooled over groups of items as `amortize.refine` pools them, by default quantiles of the
    predictions, of about 250 items each, and stay those of the group: an item's own samples decide over its further ones only
    as one of a group, so that its label stays unbiased up to that share. Items that share draws (blocks of ids) get equally
    many, by the means of their block. Outputs and players of an item count by their mean.

    seen : the Labels that the predictions were trained on, () for none; see `fastsa.metrics.certify`.

    Raises ValueError where all items share every sample, so that none can have more; ValueError and TypeError as refine does.

    >>> import fastsa, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(300, 3)), 5 + rng.normal(size=(300, 3))])
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1] * x[:, 2], X, fastsa.games.Baseline(np.zeros(3)))
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=2, role="certify").collect()
    >>> far = np.repeat([0, 1], 300)
    >>> more = refine_where(np.zeros((600, 3, 1)), labels, 600, groups=far[:, None], seen=())
    >>> bool(more[far == 1].sum() > 550)
    True
    """
    refuse_biased([labels])
    if seen is not None:
        refuse_seen([labels], seen, None)
    if shares_all_draws(labels):
        raise ValueError(
            f"{type(labels.estimator).__name__} shares every sample among all items; none can have more than others. "
            "Extend all."
        )
    p = like_labels("predictions", predictions, labels)
    cells = Cells.of(labels, prediction_groups(p, labels) if groups is None else groups)
    noise = label_noise(labels, cells)
    labeled = np.isfinite(noise)
    squared = np.where(labeled, (np.where(labeled, labels.mean, p) - p) ** 2 - np.where(labeled, noise, 0.0), 0.0)
    size = error_size(squared, noise, cells).likely
    n = labels.ids.size
    one = np.where(labeled, noise * np.maximum(labels.count, 1)[..., None], 0.0)
    sizes = [values.reshape(n, -1).mean(axis=1) for values in (size, one, labels.count.astype(np.float64))]
    unit = units(labels)
    in_unit = np.bincount(unit)
    means = [np.bincount(unit, weights=values) / in_unit for values in sizes]
    # A block's sample serves all of its items: blocks count by how many they are.
    share = in_unit / in_unit.mean()
    more = allocate(means[0] * share, means[1] * share, means[2], int(samples / in_unit.mean()))
    return more[unit]


def extended(game: Any, labels: Sequence[Labels], more: NDArray[np.int64], **settings: Any) -> tuple[Labels, ...]:
    """These labels, of disjoint samples of one lane, with more[i] further samples of item i, dealt to them in turn.

    `settings` are those of LabelStream. The ranges of the labels then say which samples some item may have.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c @ np.arange(4.0), 4)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.Distributional(1, 2), samples=2).collect()
    >>> extended(game, [labels], np.array([0, 3, 1, 0]))[0].count.tolist()
    [2, 5, 3, 2]
    """
    parts = list(labels)
    first = max(r.stop for part in parts for r in part.ranges)
    role, seed = parts[0].ranges[0].role, parts[0].ranges[0].seed
    place = {int(i): p for p, i in enumerate(game.ids)}
    positions = np.array([place[int(i)] for i in parts[0].ids])
    levels = np.unique(more[more > 0])
    for level, below in zip(levels, [0, *levels[:-1]], strict=True):
        rows = np.flatnonzero(more >= level)
        step = int(level - below)
        cuts = np.linspace(0, step, len(parts) + 1).astype(int) if step >= len(parts) else [0, step]
        for part, (a, b) in enumerate(zip(cuts, cuts[1:])):
            stream = LabelStream(
                game, parts[0].estimator, samples=int(b - a), first_sample=int(first + below + a), role=role, seed=seed,
                items=positions[rows], **settings,
            )  # fmt: skip
            parts[part] = parts[part].merge(_spread(stream.collect(), parts[part], rows))
    return tuple(parts)


def _spread(some: Labels, like: Labels, rows: NDArray[np.int64]) -> Labels:
    """Labels of all items of `like`, without samples but for `rows`."""
    statistics = like.estimator.statistics(like.roster, some.ranges[0])
    statistics.put(rows, some.statistics)
    return replace(some, statistics=statistics, roster=like.roster)
