"""What a split of a budget would give: the errors of predictions, labels and refined values, as a pilot forecasts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa.metrics import Bounded
from fastsa.planning.law import Forecast, Law

_MOST_LEVERAGE = 0.9
_MOST_ITEMS = 1e12


@dataclass(frozen=True)
class Outlook:
    """Forecast mean squared errors where `items` of a pool get `samples` each, at `evaluations` in all.

    predicted    of predictions, for the items that were labelled
    new          of predictions, for items that were not
    monte_carlo  of the labels alone, had all items of the pool shared the budget; where it does not reach all of them the
                 others get the mean
    refined      of predictions refined by labels, for the items that were labelled
    pool         of all items of the pool: refined where labelled, predicted elsewhere
    """

    items: int
    samples: int
    evaluations: int
    predicted: Forecast
    new: Forecast
    monte_carlo: Forecast
    refined: Forecast
    pool: Forecast

    def __str__(self) -> str:
        spent = f"{self.items:,} items x {self.samples:,} samples = {self.evaluations:,} evaluations"
        head = f"{spent}; errors forecast with 95 % intervals:"
        names = ("predicted", "new", "monte_carlo", "refined", "pool")
        return "\n".join([head, *(f"  {name.replace('_', ' '):12}{getattr(self, name)}" for name in names)])


@dataclass(frozen=True)
class Costs:
    """Evaluations of one sample of one item, and what an item costs once beside its samples."""

    per_sample: float
    per_item: float = 0.0

    def of(self, items: float, samples: float) -> float:
        return items * (self.per_item + samples * self.per_sample)

    def items(self, budget: float, samples: float) -> float:
        """How many items a budget labels with so many samples each."""
        return budget / (self.per_item + samples * self.per_sample)

    def samples(self, budget: float, items: float) -> float:
        """How many samples a budget gives each of so many items; not negative."""
        return max(0.0, (budget / items - self.per_item) / self.per_sample)


def outlook(law: Law, noise_uncertainty: float, costs: Costs, n_items: int, items: int, samples: int) -> Outlook:
    """The forecasts for one split; see Outlook. `noise_uncertainty` is the noise's relative standard error."""
    predicted, new = law.errors(items, samples, labeled=True), law.errors(items, samples)
    refined = refined_errors(law, items, samples)
    spent = costs.of(items, samples)
    share = min(items / n_items, 1.0)
    return Outlook(
        items,
        samples,
        round(spent),
        law.of(predicted),
        law.of(new),
        monte_carlo(law, noise_uncertainty, costs.samples(spent, n_items)),
        law.of(refined, noise_uncertainty * _share_of_noise(refined, law.noise / samples)),
        law.of(share * refined + (1 - share) * new),
    )


def refined_errors(law: Law, items: float, samples: float) -> NDArray[np.float64]:
    """The error of refined values at every point of the law's grid.

    With L the error of the prediction, v that of the label and c what goes together of both, (L v - c^2) / (L + v - 2 c), as
    `amortize.cross_refine` weighs them; c is what the label's noise adds to L, as for least squares.
    """
    noise = law.noise / samples
    error = law.errors(items, samples, labeled=True)
    common = np.clip(error - law.errors(items, np.inf, labeled=True), 0.0, _MOST_LEVERAGE * np.minimum(noise, error))
    return (error * noise - common**2) / np.maximum(error + noise - 2 * common, 1e-300)


def monte_carlo(law: Law, noise_uncertainty: float, samples: float) -> Forecast:
    """The error of labels of so many samples, rounded as nobody can; below one, items without a sample get the mean."""
    share = min(samples, 1.0)
    noise = law.noise / max(samples, 1.0)
    nothing = np.full(law.weight.size, share * noise + (1 - share) * law.signal)
    return law.of(nothing, noise_uncertainty * share * noise / max(nothing[0], 1e-300))


def break_even(law: Law, samples: int, shrunk: bool) -> Bounded:
    """Items from which on predictions for them are better than their labels of so many samples; infinite where never.

    `shrunk` compares with labels shrunk to their best, S v / (S + v) with S the signal and v the noise.
    """
    noise = law.noise / samples
    target = law.signal * noise / (law.signal + noise) if shrunk else noise
    first, still = np.full(law.weight.size, np.inf), np.ones(law.weight.size, np.bool_)
    for items in np.geomspace(_MOST_ITEMS, 1.0, 481):
        still &= law.errors(items, samples, labeled=True) < target
        first = np.where(still, items, first)
    order = np.argsort(first)
    reached = np.cumsum(law.weight[order])
    return Bounded(
        *(float(first[order][np.searchsorted(reached, q).clip(max=order.size - 1)]) for q in (0.5, 0.025, 0.975))
    )


def _share_of_noise(refined: NDArray[np.float64], noise: float) -> float:
    """How much of the noise's uncertainty a refined value has: its derivative in v over itself, refined / v."""
    return float(np.mean(refined) / noise) if noise > 0 else 0.0
