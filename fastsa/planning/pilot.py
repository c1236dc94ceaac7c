"""What a pilot's labels show: amortizers trained on parts of it, and their errors on labels that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.correction.refine import certificate_of_cells
from fastsa.labels import Labels
from fastsa.metrics import Bounded
from fastsa.metrics.independence import as_labels, refuse_biased, refuse_overlap, shares_all_draws, units
from fastsa.ops import permutations
from fastsa.planning.law import Law, Observed

_PARTS = ((8, 3), (4, 2), (2, 2), (1, 1))  # (an n-th of the pilot's items, how many disjoint ones of it)
_FEWEST_TO_TRAIN_ON = 16
FEWEST_ITEMS = 32
FEWEST_UNITS = 8


@dataclass(frozen=True)
class ItemLabels:
    """Labels of all items of a game, some of which have none.

    `ValuationNet.fit` takes them in place of Labels; for other networks `labeled` and `labels` say the same as the items that
    have some, and their Labels.

    mean, stderr float64 [items, outputs] or [items, players, outputs], 0 and NaN where there is no sample; count int64
    [items] or [items, players]. source : the Labels that they were made of, of the items at `positions`.
    """

    mean: NDArray[np.float64]
    stderr: NDArray[np.float64]
    count: NDArray[np.int64]
    source: Labels
    positions: NDArray[np.int64]

    @staticmethod
    def of(labels: Labels, positions: NDArray[np.int64], n_items: int) -> ItemLabels:
        """`labels` of the items at `positions` of `n_items`."""
        mean = np.zeros((n_items, *labels.mean.shape[1:]))
        stderr, count = np.full(mean.shape, np.nan), np.zeros(mean.shape[:-1], np.int64)
        mean[positions], stderr[positions], count[positions] = labels.mean, labels.stderr, labels.count
        return ItemLabels(mean, stderr, count, labels, positions)

    def only(self, kept: NDArray[np.bool_]) -> ItemLabels:
        """These labels without those of the items where `kept` [items] is False."""
        numbers = _where(kept, self.mean, 0.0), _where(kept, self.stderr, np.nan), _where(kept, self.count, 0)
        return ItemLabels(*numbers, self.source, self.positions)

    @property
    def labeled(self) -> NDArray[np.int64]:
        """Positions of the items that have samples, in the order of `labels`."""
        return self.positions[self._there]

    @property
    def labels(self) -> Labels:
        """The Labels of the items at `labeled`. Raises ValueError for labels that follow from all players of one game."""
        return self.source.take(np.flatnonzero(self._there))

    @property
    def _there(self) -> NDArray[np.bool_]:
        return self.count[self.positions].reshape(self.positions.size, -1).max(axis=1) > 0


Learn = Callable[[ItemLabels], Any]
"""learn(labels) trains on labels and answers predictions of all items, in the shape of the labels' mean."""


@dataclass(frozen=True)
class Pilot:
    """Labels of `positions` (of `n_items`) in an even number of blocks of samples, and what they show.

    noise, signal : variance of one sample about its label's expectation, and of the truth over items
    law, observed : of the error of predictions, and what it was fitted to
    n_units : items, or blocks of items that share draws
    """

    blocks: tuple[Labels, ...]
    positions: NDArray[np.int64]
    n_items: int
    noise: Bounded
    signal: Bounded
    law: Law
    observed: Observed
    n_units: int

    @property
    def samples(self) -> int:
        return int(sum(block.ranges[0].samples for block in self.blocks))

    @property
    def evaluations(self) -> int:
        return sum(block.evaluations for block in self.blocks)

    @property
    def halves(self) -> tuple[Labels, Labels]:
        """The labels of the first and of the second half of the blocks."""
        half = len(self.blocks) // 2
        return merged(self.blocks[:half]), merged(self.blocks[half:])

    @property
    def noise_uncertainty(self) -> float:
        """The relative standard error of the noise."""
        spread = (self.noise.high - self.noise.low) / (2 * 1.96)
        return spread / self.noise.value if np.isfinite(spread) and self.noise.value > 0 else 0.0


def study(
    blocks: Sequence[Labels], learn: Learn, *, positions: Any = None, n_items: int | None = None, seed: int = 0
) -> Pilot:
    """Train on parts of a pilot and fit the law of their errors. Spends no evaluation.

    blocks : an even number of Labels of the same items from disjoint samples, equally many each.
    learn : trains on ItemLabels of all `n_items` items and answers predictions of all of them.
    positions : int [m], where the pilot's items stand among all; default 0 .. m - 1, all.

    An amortizer is two networks, one on either half of its samples, and predicts their mean, as `amortize.crossfit` does. It
    is trained on an eighth, a quarter, half and all of the items, on a half and all of the samples. Errors come from labels
    that are independent of it: for other items from all their samples; for its own by the products of `cross_refine`. Items
    that share draws stay together.

    Raises ValueError for biased or overlapping labels, and a pilot of fewer than 8 units or 32 items.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c @ np.linspace(-1, 1, 200), 200)
    >>> blocks = [fastsa.LabelStream(game, fastsa.estimators.Distributional(1, 10), samples=1, first_sample=b).collect()
    ...           for b in range(2)]
    >>> pilot = study(blocks, lambda labels: np.full(200, labels.mean.mean()))
    >>> bool(abs(pilot.law.error(1000, 2).value / pilot.signal.value - 1) < 0.2)     # a constant gets all of it wrong
    True
    """
    trials, noise, signal = _started(blocks, learn, positions, n_items)
    observed = trials.run(seed)
    law = Law.fit(observed, noise.value, signal.value)
    return Pilot(tuple(blocks), trials.positions, trials.n_items, noise, signal, law, observed, trials.n_units)


def items_needed(
    blocks: Sequence[Labels], learn: Learn, precision: float, *, positions: Any = None, n_items: int | None = None
) -> int:
    """Items at which a certified error of this relative standard error is to be expected, at the samples of these blocks.

    With L the error of an amortizer trained on them and v the variance of a label of all their samples, n items tell L with a
    relative standard error of sqrt(((L + v)^2 + L^2) / n) / L; more where items share draws, by what they show of it. An L
    that does not pass its own standard error counts as that.
    """
    trials, noise, _ = _started(blocks, learn, positions, n_items)
    shown, stderr = trials.whole()
    error, label = max(shown, stderr, 1e-300), noise.value / trials.samples
    expected = ((error + label) ** 2 + error**2) / (precision * error) ** 2
    return int(np.ceil(max(expected, trials.positions.size * (stderr / (precision * error)) ** 2)))


def _started(
    blocks: Sequence[Labels], learn: Learn, positions: Any, n_items: int | None
) -> tuple[_Trials, Bounded, Bounded]:
    """(the trials of a checked pilot, noise, signal)."""
    blocks = as_labels("blocks", blocks)
    if len(blocks) < 2 or len(blocks) % 2 or len({block.ranges[0].samples for block in blocks}) > 1:
        raise ValueError(f"{len(blocks)} blocks were given; expected an even number, of equally many samples each.")
    refuse_biased(blocks)
    refuse_overlap(blocks)
    m = blocks[0].ids.size
    positions = np.arange(m) if positions is None else np.asarray(positions)
    unit = np.arange(m) if shares_all_draws(blocks[0]) else units(blocks[0])
    n_units = int(unit.max()) + 1
    if n_units < FEWEST_UNITS or m < FEWEST_ITEMS:
        raise ValueError(
            f"the pilot has {m} items in {n_units} units that are independent; expected at least {FEWEST_ITEMS} items "
            f"in {FEWEST_UNITS} units."
        )
    noise, signal = _sizes(blocks)
    return _Trials(blocks, learn, positions, m if n_items is None else n_items, unit, noise.value), noise, signal


def merged(blocks: Sequence[Labels]) -> Labels:
    """All samples of these blocks."""
    whole = blocks[0]
    for block in blocks[1:]:
        whole = whole.merge(block)
    return whole


class _Trials:
    """Amortizers trained on parts of the pilot, and the squared errors of each, item by item."""

    def __init__(
        self,
        blocks: Sequence[Labels],
        learn: Learn,
        positions: NDArray[np.int64],
        n_items: int,
        unit: NDArray[np.int64],
        noise: float,
    ) -> None:
        self._blocks, self._learn, self._unit = blocks, learn, unit
        self.positions, self.n_items, self.n_units = positions, n_items, int(unit.max()) + 1
        self._all = merged(blocks)
        self.samples = sum(block.ranges[0].samples for block in blocks)
        own = self._all.stderr**2
        self._own = np.where(np.isfinite(own), own, noise / np.maximum(self._all.count, 1)[..., None])
        self._variance = self._own * self._all.count[..., None]

    def whole(self) -> tuple[float, float]:
        """(error, its standard error) of an amortizer trained on all of the pilot, for its own items."""
        squared = self._squared(np.ones(self._unit.size, np.bool_), len(self._blocks) // 2)
        observed = self._observed([((True, 1, squared.size, self.samples), squared)])
        return float(observed.error[0]), float(np.sqrt(observed.covariance[0, 0]))

    def run(self, seed: int) -> Observed:
        """Errors for every part of the items, some disjoint ones of it, on a half and all of the samples."""
        n_units, m = self.n_units, self._unit.size
        order = permutations(n_units, 1, seed=seed)[0]
        trials = []
        for part, repeats in _PARTS:
            if m // part < _FEWEST_TO_TRAIN_ON or n_units < part * 2:
                continue
            for chosen in np.array_split(order, part)[:repeats]:
                inside = np.isin(self._unit, chosen)
                for half in sorted({max(1, len(self._blocks) // 4), len(self._blocks) // 2}):
                    squared = self._squared(inside, half)
                    samples = 2 * half * self._blocks[0].ranges[0].samples
                    for labeled in (False, True)[part == 1 :]:
                        cell = (labeled, part, inside.sum(), samples)
                        trials.append((cell, np.where(inside == labeled, squared, np.nan)))
        return self._observed(trials)

    def _squared(self, inside: NDArray[np.bool_], half: int) -> NDArray[np.float64]:
        """Unbiased squared errors [items] of an amortizer trained on the items inside, on `half` blocks a network."""
        middle = len(self._blocks) // 2
        first, second = merged(self._blocks[:half]), merged(self._blocks[middle : middle + half])
        p_a, p_b = (self._predicted(part, inside) for part in (first, second))
        mean = (p_a + p_b) / 2
        outside = (mean - self._all.mean) ** 2 - self._own
        crossed = _crossed(p_a, p_b, first, second, self._variance)
        cells = np.where(inside.reshape(-1, *[1] * (mean.ndim - 1)), crossed, outside)
        return cells.reshape(cells.shape[0], -1).mean(axis=1)

    def _predicted(self, part: Labels, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        kept = np.zeros(self.n_items, np.bool_)
        kept[self.positions[inside]] = True
        given = np.asarray(self._learn(ItemLabels.of(part, self.positions, self.n_items).only(kept)), dtype=np.float64)
        shape = (self.n_items, *self._all.mean.shape[1:])
        if given.shape != shape and given.shape != shape[:-1]:
            raise ValueError(f"learn answered predictions of shape {given.shape}; expected {shape}, of all items.")
        return given.reshape(shape)[self.positions]

    def _observed(self, trials: list[tuple[tuple[bool, int, int, int], NDArray[np.float64]]]) -> Observed:
        """Means over items, and their covariance over units, with what training sets of one size differ by beyond it."""
        labeled, parts, items, samples = np.array([cell for cell, _ in trials], np.float64).T
        squared = np.array([values for _, values in trials])
        there = np.isfinite(squared)
        error = np.nanmean(squared, axis=1)
        residual = np.where(there, squared - error[:, None], 0.0) / there.sum(axis=1)[:, None]
        by_unit = np.array([np.bincount(self._unit, weights=row) for row in residual])
        covariance = by_unit @ by_unit.T
        n_units = by_unit.shape[1]
        kept = max(0.0, 1.0 - error.size / n_units)
        covariance = kept * covariance + (1 - kept) * np.diag(np.diag(covariance))
        covariance += np.diag((_between(np.stack([labeled, parts, samples]), error, covariance) * error) ** 2)
        return Observed(labeled > 0, items, samples, error, covariance)


def _between(cells: NDArray[np.float64], error: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """The relative standard deviation among amortizers of equal training sets, beyond what their tests differ by."""
    beyond = []
    for cell in np.unique(cells, axis=1).T:
        same = np.flatnonzero((cells == cell[:, None]).all(axis=0))
        for one, other in zip(same, same[1:]):
            by_chance = covariance[one, one] + covariance[other, other] - 2 * covariance[one, other]
            beyond.append(((error[one] - error[other]) ** 2 - by_chance) / (2 * max(error[same].mean() ** 2, 1e-300)))
    return float(np.sqrt(max(0.0, np.mean(beyond)))) if beyond else 0.0


def _crossed(
    p_a: NDArray[np.float64], p_b: NDArray[np.float64], first: Labels, second: Labels, variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared errors of (p_a + p_b) / 2 for items that a was trained on with `first`, b with `second` (see cross_refine)."""
    noise_a, noise_b = (variance / part.count[..., None] for part in (first, second))
    error_a, error_b = (p_a - second.mean) ** 2 - noise_b, (p_b - first.mean) ** 2 - noise_a
    own_a = (error_a + noise_a - (p_a - first.mean) ** 2) / 2
    own_b = (error_b + noise_b - (p_b - second.mean) ** 2) / 2
    return (error_a + error_b + 2 * ((p_a - second.mean) * (p_b - first.mean) + own_a + own_b)) / 4


def _sizes(blocks: Sequence[Labels]) -> tuple[Bounded, Bounded]:
    """(noise of one sample, signal) with intervals over independent units."""
    whole = merged(blocks)
    stacked = np.stack([block.mean for block in blocks])
    own = whole.stderr**2
    own = np.where(np.isfinite(own), own, stacked.var(axis=0, ddof=1) / len(blocks))
    shown = certificate_of_cells(np.zeros(own.shape), whole, whole.mean, own, 0.95)
    k = float(whole.count.mean())
    return Bounded(*(k * number for number in shown.noise)), shown.signal


def _where(kept: NDArray[np.bool_], values: NDArray[Any], otherwise: Any) -> NDArray[Any]:
    return np.where(kept.reshape(-1, *[1] * (values.ndim - 1)), values, otherwise)
