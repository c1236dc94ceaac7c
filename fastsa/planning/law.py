"""The law by which an amortizer's error falls with labels, and what a pilot leaves open about it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.metrics.distributions import normal_quantile

_PASSES = 4
_POINTS = {"floor": 17, "size": 33, "power": 7}
_OPEN = 1e-4  # of the largest weight: below it a point of the grid tells nothing
_LEAST_POWER = 0.4
# What labels vary by beside their noise, as shares of the floor and of the signal: a misfit acts like noise on items that
# were not trained on, and is partly fitted on those that were.
_BESIDE_NEW = ((1.0, 0.0), (1.0, 0.1), (1.0, 0.3), (1.0, 1.0))
_BESIDE_LABELED = ((-1.0, 0.0), (0.0, 0.0), (0.0, 0.1))
_SATURATES = (1.0, 0.0)


class Forecast(NamedTuple):
    """A number that a pilot forecasts: its expectation, its standard error, and its 95 % interval."""

    value: float
    stderr: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} .. {self.high:.4g})"


class Observed(NamedTuple):
    """Errors [cells] measured of amortizers trained on `items` [cells] with `samples` [cells] each; covariance [cells, cells].

    labeled bool [cells] : whether an error is that for the items that were trained on, or for others.
    """

    labeled: NDArray[np.bool_]
    items: NDArray[np.float64]
    samples: NDArray[np.float64]
    error: NDArray[np.float64]
    covariance: NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """How the mean squared error of predictions falls with m labelled items of k samples each.

        error(m, k) = a + (S - a) h / (1 + g h),   h = (p u / (S - a))^q,   u = (noise / k + b) / m

    S is the signal (what predicting a constant gets wrong), a the error that no label removes, p the number of parameters
    that labels have to settle, b what labels vary by beside their noise. With q = g = 1 this is what Bayesian linear
    regression leaves of p equal directions, 1 / (1 / (S - a) + 1 / (p u)); a truth whose directions are unequal has
    q < 1; g = 0 and q = 1 is the two-term law a + p (noise / k + b) / m of least squares, which can pass S. Items that were
    trained on and others share all but b: their errors part where items are few, and meet where they are many.

    Every parameter is held as a grid of points with posterior weights (flat in sqrt(a), log p and q, normal errors), so that
    a forecast far beyond the pilot is as wide as what the pilot leaves open.
    """

    floor: NDArray[np.float64]
    size: NDArray[np.float64]
    power: NDArray[np.float64]
    beside: NDArray[np.float64]
    beside_labeled: NDArray[np.float64]
    saturates: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise: float
    signal: float

    @staticmethod
    def fit(observed: Observed, noise: float, signal: float) -> Law:
        """The law that errors follow; noise is that of one sample.

        >>> import numpy as np
        >>> m, k = np.array([100.0, 200.0, 400.0, 800.0]), np.full(4, 2.0)
        >>> error = 0.2 + 30 * (4.0 / k + 0.2) / m
        >>> law = Law.fit(Observed(np.zeros(4, bool), m, k, error, np.diag((0.01 * error) ** 2)), noise=4.0, signal=5.0)
        >>> bool(abs(law.error(3200, 2).value / (0.2 + 30 * 2.2 / 3200) - 1) < 0.2)
        True
        """
        signal = max(signal, 1e-12 * noise, 1e-300)
        inverse = _whitening(observed)
        typical = float(np.median((noise / observed.samples + 0.1 * signal) / observed.items))
        axes = {
            "floor": np.linspace(0.0, 0.995, _POINTS["floor"]),
            "size": np.linspace(np.log(1e-5), np.log(1e4), _POINTS["size"]) + np.log(signal / typical),
            "power": np.linspace(_LEAST_POWER, 1.0, _POINTS["power"]),
        }
        shapes = list(product(_BESIDE_NEW, _BESIDE_LABELED, _SATURATES))
        for _ in range(_PASSES):
            points = _points(axes, shapes, noise, signal)
            cells = zip(observed.items, observed.samples, observed.labeled, strict=True)
            predicted = np.stack([points.errors(m, k, labeled) for m, k, labeled in cells], axis=1)
            misfit = np.sum(((observed.error - predicted) @ inverse.T) ** 2, axis=1)
            misfit /= max(1.0, float(misfit.min()) / max(observed.error.size - 3, 1))
            weight = np.exp(-0.5 * (misfit - misfit.min()))
            axes = {name: _narrowed(axis, getattr(points, name), weight, name, signal) for name, axis in axes.items()}
        kept = weight > _OPEN
        fields = [
            getattr(points, name)[kept] for name in ("floor", "size", "power", "beside", "beside_labeled", "saturates")
        ]
        return Law(*fields, weight[kept] / weight[kept].sum(), noise, signal)

    def errors(self, items: float, samples: float, labeled: bool = False) -> NDArray[np.float64]:
        """The error at every point of the grid; `samples` may be infinite."""
        rest = self.signal - self.floor
        beside = self.beside_labeled if labeled else self.beside
        reach = self.size * (self.noise / samples + beside) / items
        h = np.where(
            reach >= 0, (np.abs(reach) / rest) ** self.power, np.maximum(reach / rest, -0.9 * self.floor / rest)
        )
        return self.floor + rest * h / (1 + self.saturates * np.maximum(h, 0.0))

    def error(self, items: float, samples: float, labeled: bool = False) -> Forecast:
        """The forecast error of predictions by an amortizer trained on `items` with `samples` each, for items of these
        (labeled) or for others."""
        return self.of(self.errors(items, samples, labeled))

    def of(self, values: NDArray[np.float64], relative: float = 0.0) -> Forecast:
        """The forecast of values at the points of the grid, each uncertain by a further relative standard error."""
        mean = float(self.weight @ values)
        stderr = float(np.sqrt(self.weight @ (values - mean) ** 2 + (relative * mean) ** 2))
        order = np.argsort(values)
        reached = np.cumsum(self.weight[order]) - 0.5 * self.weight[order]
        low, high = np.interp([0.025, 0.975], reached, values[order])
        further = normal_quantile(0.975) * relative * mean
        below, above = float(np.hypot(mean - low, further)), float(np.hypot(high - mean, further))
        return Forecast(mean, stderr, mean - below, mean + above)


def _points(axes: dict[str, NDArray[np.float64]], shapes: list, noise: float, signal: float) -> Law:
    """Every combination of the axes and shapes, unweighted; the floor's axis is the root of its share of the signal."""
    root, size, power = (grid.ravel() for grid in np.meshgrid(*axes.values(), indexing="ij"))
    floor = np.tile(signal * root**2, len(shapes))
    new, labeled, saturates = zip(*shapes, strict=True)

    def beside(shares: tuple) -> NDArray[np.float64]:
        of_floor, of_signal = (np.repeat(column, root.size) for column in zip(*shares, strict=True))
        return of_floor * floor + of_signal * signal

    return Law(
        floor,
        np.tile(np.exp(size), len(shapes)),
        np.tile(power, len(shapes)),
        beside(new),
        beside(labeled),
        np.repeat(np.array(saturates), root.size),
        np.ones(floor.size),
        noise,
        signal,
    )


def _narrowed(
    axis: NDArray[np.float64], values: NDArray[np.float64], weight: NDArray[np.float64], name: str, signal: float
) -> NDArray[np.float64]:
    """The axis over what weight is left on, and a step beyond, never beyond its ends."""
    values = np.sqrt(values / signal) if name == "floor" else np.log(values) if name == "size" else values
    kept = values[weight > _OPEN]
    step = axis[1] - axis[0]
    return np.linspace(max(axis[0], kept.min() - step), min(axis[-1], kept.max() + step), axis.size)


def _whitening(observed: Observed) -> NDArray[np.float64]:
    """W with W^T W the inverse of the covariance, whose smallest directions are not believed."""
    scale = np.sqrt(np.maximum(np.diag(observed.covariance), 1e-300))
    correlation = observed.covariance / np.outer(scale, scale)
    energy, axes = np.linalg.eigh(correlation)
    energy = np.maximum(energy, 1e-3 * energy.max())
    return (axes / np.sqrt(energy)).T / scale
