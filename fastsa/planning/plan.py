"""`plan`: from a pilot of chosen size, what any budget would give, and how to spend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators import Estimator
from fastsa.games import Game
from fastsa.labels import Labels, LabelStream
from fastsa.metrics import Bounded
from fastsa.metrics.independence import refuse_biased
from fastsa.ops import permutations
from fastsa.planning.outlook import Costs, Outlook, break_even, outlook
from fastsa.planning.pilot import FEWEST_ITEMS, FEWEST_UNITS, Learn, Pilot, items_needed, study

_FIRST_ITEMS = 256
_BLOCKS = 4
_ROUNDS = 4


@dataclass(frozen=True)
class Plan:
    """A budget forecast; see `plan`.

    items, samples : the split that was chosen: how many items get labels, and how many samples each
    outlook : the errors that are forecast for it
    pilot : its labels and what they show: .noise of one sample, .signal, .law of the amortizer's error
    sufficient : whether the pilot is large enough for `precision`, the relative standard error asked of the certified error
    needed : how many items that would take, at the pilot's samples
    costs, n_items, budget, aim : as planned for
    order : int [n_items], positions of items in the order in which they are labelled; the pilot's come first
    """

    items: int
    samples: int
    outlook: Outlook
    pilot: Pilot
    precision: float
    needed: int
    costs: Costs
    n_items: int
    budget: int
    aim: str
    order: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def sufficient(self) -> bool:
        return self.needed <= self.pilot.positions.size

    @property
    def labeled(self) -> NDArray[np.int64]:
        """Positions, ascending, of the items that get labels."""
        return np.sort(self.order[: self.items])

    def at(self, items: int, samples: int) -> Outlook:
        """The forecast errors with so many samples for each of so many items, whatever that costs."""
        items, samples = _checks.count("items", items, most=self.n_items), _checks.count("samples", samples)
        return outlook(self.pilot.law, self.pilot.noise_uncertainty, self.costs, self.n_items, items, samples)

    def split(self, budget: int) -> Outlook:
        """The best split of another budget, and its errors. Raises ValueError below what the least split costs."""
        best = None
        most = max(self.pilot.samples, int(self.costs.samples(budget, min(self.pilot.positions.size, self.n_items))))
        for samples in _candidates(self.pilot.samples, most):
            reached = np.searchsorted(self.ends, min(self.costs.items(budget, samples), self.n_items), side="right") - 1
            if reached < 0 or self.ends[reached] < min(self.pilot.positions.size, self.n_items):
                continue
            one = self.at(int(self.ends[reached]), samples)
            if best is None or _aimed(one, self.aim).value < _aimed(best, self.aim).value:
                best = one
        if best is None:
            least = self.costs.of(self.pilot.positions.size, self.pilot.samples)
            raise ValueError(f"budget is {budget:,} evaluations; expected at least {least:,.0f}, what the pilot costs.")
        return best

    def break_even(self, samples: int | None = None, *, shrunk: bool = False) -> Bounded:
        """The size of a data set from which on predictions beat labels of as many samples (default: the plan's).

        Infinite where no size does. `shrunk` compares with labels shrunk to their best, the stronger baseline.
        """
        return break_even(self.pilot.law, self.samples if samples is None else samples, shrunk)

    def __str__(self) -> str:
        pilot = self.pilot
        m, k = pilot.positions.size, pilot.samples
        size = (
            f"The pilot of {m:,} items x {k} samples is large enough: the certified error has a relative standard error of "
            f"at most {100 * self.precision:g} %."
            if self.sufficient
            else f"The pilot of {m:,} items x {k} samples is too small for forecasts to {100 * self.precision:g} %: that takes "
            f"about {self.needed:,} items. Read the intervals."
        )
        even = self.break_even()
        pays = (
            "Predictions would not beat labels of as many samples at any size."
            if np.isinf(even.value)
            else f"Predictions beat labels of {self.samples} samples from about {even.value:,.0f} items on "
            f"({even.low:,.0f} .. {even.high:,.0f})."
        )
        return "\n".join(
            [
                size,
                f"One sample has noise {pilot.noise} and items have signal {pilot.signal}.",
                f"Of {self.budget:,} evaluations, label {self.items:,} of {self.n_items:,} items, {self.samples} samples each.",
                str(self.outlook),
                pays,
            ]
        )


def plan(
    game: Game,
    estimator: Estimator,
    learn: Learn,
    *,
    budget: int,
    pilot: int | None = None,
    precision: float = 0.05,
    most: float = 0.25,
    aim: str = "pool",
    seed: int = 0,
    max_bytes: int | None = None,
    n_threads: int | None = None,
) -> Plan:
    """Draw a pilot, forecast what any budget would give, and choose how to spend this one.

    learn : called with ItemLabels, which hold `.mean`, `.stderr` and `.count` of all items, 0 where an item has none (and as
        Labels those of the items at `.labeled`: `.labels`); trains a network on them and answers predictions of all items, in
        the shape of the mean.
    budget : utility evaluations in all, the pilot's included: its labels are the first samples of role "train" and stay in
        use (`finish`).
    pilot : items in it. Default: it grows until sqrt(((L + s / k)^2 + L^2) / n) / L, the relative standard error of an error
        L that n items with labels of variance s / k certify, is at most `precision`; at most the share `most` of the budget
        goes there. Where that is too little, the plan says that the pilot is too small and its intervals are wide.
    aim : what the split is best for: "pool", refined values of all items, or "new", predictions for items never seen.
    seed : of the labels; it also chooses which items come first.

    An item of the pilot gets 4 samples where the budget has as many for all items, else 2. The law of the error is that of
    `Law`, from amortizers trained on parts of the pilot. Without a cost per item the best split has the fewest samples for
    the most items, until all are labelled: then k = sqrt(noise * per_item / (beside * per_sample)) where an item costs
    something once. Where it is all items, samples follow from the budget alone. Else the split follows from sums over the
    whole pilot, in which the share of one item is small, and labels are unbiased up to that share.

    Raises ValueError for a biased estimator and a budget that buys no pilot.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c @ np.linspace(0, 1, 400) + (c.sum(axis=1) % 2), 400)
    >>> position = np.linspace(0, 1, 400)
    >>> def straight_line(labels):
    ...     return np.polyval(np.polyfit(position, labels.mean[:, 0], 1, w=np.sqrt(labels.count)), position)
    >>> plan = fastsa.plan(game, fastsa.estimators.Distributional(1, 20), straight_line, budget=20_000)
    >>> plan.items, plan.samples, plan.outlook.pool.value < plan.outlook.monte_carlo.value
    (400, 24, True)
    """
    if not isinstance(estimator, Estimator):
        raise TypeError(f"estimator is {estimator!r}; expected one of fastsa.estimators, such as Distributional().")
    budget = _checks.count("budget", budget)
    precision = _checks.number("precision", precision, above=0.0)
    _checks.choice("aim", aim, ("pool", "new"))
    n = game.ids.size
    everyone = np.arange(n)
    per_sample = estimator.evaluations(game, everyone) / n
    order, ends = _in_units(game, estimator, seed)
    several = estimator.least_samples(game.n_players)
    blocks = _BLOCKS if budget >= _BLOCKS * several * per_sample * n else 2

    def draw(positions: NDArray[np.int64]) -> list[Labels]:
        made = [
            LabelStream(
                game, estimator, samples=several, first_sample=b * several, items=positions, seed=seed,
                max_bytes=max_bytes, n_threads=n_threads,
            ).collect()
            for b in range(blocks)
        ]  # fmt: skip
        refuse_biased(made)
        return made

    per_item = blocks * several * per_sample
    affordable = (budget if pilot is not None or ends.size == 1 else most * budget) / per_item
    wanted = _FIRST_ITEMS if pilot is None else _checks.count("pilot", pilot, most=n)
    least = int(ends[max(min(FEWEST_UNITS, ends.size) - 1, np.searchsorted(ends, min(FEWEST_ITEMS, n)))])
    size = _whole(ends, max(least, min(wanted, affordable)))
    if size > affordable:
        cost = size * per_item * (budget / per_item / affordable)
        raise ValueError(
            f"budget is {budget:,} evaluations; expected at least {cost:,.0f}, for a pilot of {size:,} items."
        )
    parts: list[Labels] = []
    for _ in range(_ROUNDS):
        begin = parts[0].ids.size if parts else 0
        fresh = draw(order[begin:size])
        parts = [old.merge(new) for old, new in zip(parts, fresh, strict=True)] if parts else fresh
        needed = items_needed(parts, learn, precision, positions=order[:size], n_items=n)
        wider = _whole(ends, min(n, affordable, max(2 * size, 1.1 * needed)))
        if pilot is not None or needed <= size or wider <= size:
            break
        size = wider
    found = study(parts, learn, positions=order[:size], n_items=n, seed=seed)
    costs = Costs(per_sample, max(0.0, parts[0].evaluations / size - several * per_sample))
    drafted = Plan(0, 0, None, found, precision, needed, costs, n, budget, aim, order, ends)
    best = drafted.split(budget)
    return Plan(best.items, best.samples, best, found, precision, needed, costs, n, budget, aim, order, ends)


def finish(
    plan: Plan, game: Game, *, max_bytes: int | None = None, n_threads: int | None = None, progress: Any = None
) -> tuple[Labels, Labels]:
    """The labels that a plan calls for, in halves of the samples: of the items `plan.labeled`, in this order.

    The pilot's samples are in them; what is missing is drawn now. An estimator with several samples to a label (a pool) gets
    as many more at a time.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c @ np.linspace(0, 1, 200), 200)
    >>> plan = fastsa.plan(game, fastsa.estimators.Distributional(1, 20), lambda labels: labels.mean.mean() + 0 * labels.mean,
    ...                    budget=4000)
    >>> first, second = fastsa.planning.finish(plan, game)
    >>> int(first.count[0] + second.count[0]) == plan.samples, first.evaluations + second.evaluations <= 4000
    (True, True)
    """
    done, blocks = plan.pilot.samples, plan.pilot.blocks
    span, positions = blocks[0].ranges[0], plan.order[: plan.items]
    later = positions[plan.pilot.positions.size :]

    def draw(items: NDArray[np.int64], first: int, samples: int) -> Labels:
        stream = LabelStream(
            game, blocks[0].estimator, samples=samples, first_sample=first, items=items, seed=span.seed,
            max_bytes=max_bytes, n_threads=n_threads,
        )  # fmt: skip
        return stream.collect(progress)

    parts, first = [], done
    for half, extra in zip(plan.pilot.halves, _halved(plan.samples - done), strict=True):
        (of_pilot,) = half.ranges
        part = half.merge(draw(later, of_pilot.first, of_pilot.samples)) if later.size else half
        if extra:
            part = part.merge(draw(positions, first, extra))
            first += extra
        ascending = (np.diff(positions) > 0).all()
        parts.append(part if ascending else part.take(np.argsort(positions)))
    return parts[0], parts[1]


def _halved(samples: int) -> tuple[int, int]:
    return samples - samples // 2, samples // 2


def _needed(pilot: Pilot, precision: float) -> int:
    """Items at which the certified error has this relative standard error."""
    m, k = pilot.positions.size, pilot.samples
    error = pilot.law.error(m, k, labeled=True).value
    noise = pilot.noise.value / k
    return int(np.ceil(((error + noise) ** 2 + error**2) / max(precision * error, 1e-300) ** 2))


def _aimed(one: Outlook, aim: str) -> Any:
    return one.pool if aim == "pool" else one.new


def _candidates(least: int, most: int) -> list[int]:
    """Even numbers of samples: all of the small ones, then a tenth more each time, and the most."""
    found, samples = [], least
    while samples <= most:
        found.append(samples)
        samples = max(samples + 2, 2 * round(0.55 * samples))
    return sorted({*found, max(least, most - most % 2)})


def _in_units(game: Game, estimator: Estimator, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items in the order in which they are labelled, and after how many of them no draw is parted."""
    n = game.ids.size
    if estimator.shares_draws and game.item_players is not None:
        return np.arange(n), np.array([n])
    unit = np.unique(game.ids // np.uint64(estimator.item_block), return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    place = np.argsort(permutations(n_units, 1, seed=seed)[0])
    return np.argsort(place[unit], kind="stable"), np.cumsum(np.bincount(place[unit], minlength=n_units))


def _whole(ends: NDArray[np.int64], items: float) -> int:
    """The most items, at least one unit, that part no draw."""
    reached = np.searchsorted(ends, items, side="right") - 1
    return int(ends[max(reached, 0)])
