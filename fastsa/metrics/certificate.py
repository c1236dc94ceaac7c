"""A certificate: what is known of an error without the truth, as numbers with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.metrics.jackknife import Bounded, bounded

MEASURES = ("error", "noise", "signal", "explained_variance", "attainable_correlation")


@dataclass(frozen=True)
class Certificate:
    """What labels tell of predictions; every measure has .value, .low and .high. See `certify` for the formulas.

    error                   mean squared error of the predictions against the unknown truth
    noise                   variance of the labels given here about the truth
    signal                  variance of the truth over items
    explained_variance      1 - error / signal; NaN where the signal does not pass 0
    attainable_correlation  sqrt(signal / (signal + noise)): what the truth itself would correlate with these labels, and
                            these labels with the truth
    n_items                 items
    basis                   what the intervals rest on
    level                   of every interval, taken alone
    groups                  certificates of subgroups, by the group's name
    """

    error: Bounded
    noise: Bounded
    signal: Bounded
    explained_variance: Bounded
    attainable_correlation: Bounded
    n_items: int
    basis: str
    level: float
    groups: Mapping[Any, Certificate] = field(default_factory=dict)

    @staticmethod
    def of_stored(stored: Mapping[str, Any]) -> Certificate:
        """What `dataclasses.asdict` and JSON made of a certificate, as it was."""
        return Certificate(
            **{name: Bounded(*value) if isinstance(value, list) else value for name, value in stored.items()}
        )

    def __str__(self) -> str:
        head = f"{self.n_items:,} items; {100 * self.level:g} % intervals from {self.basis}"
        lines = [f"{name.replace('_', ' '):24}{getattr(self, name)}" for name in MEASURES]
        groups = [
            f"{f'error, group {name}':24}{one.error}  [{one.n_items:,} items]" for name, one in self.groups.items()
        ]
        return "\n".join([head, *lines, *groups])


@dataclass(frozen=True)
class Moments:
    """error, noise and signal of all, and without each independent unit: floats, and float64 [units]."""

    error: float
    noise: float
    signal: float
    errors: NDArray[np.float64]
    noises: NDArray[np.float64]
    signals: NDArray[np.float64]


def certificate(moments: Moments, n_items: int, basis: str, level: float, error_variance: float = 0.0) -> Certificate:
    """The certificate that follows from the moments, with jackknife intervals; `error_variance` comes on top."""
    value = _measures(moments.error, moments.noise, moments.signal)
    left_out = _measures(moments.errors, moments.noises, moments.signals)
    of_explained = error_variance / moments.signal**2 if moments.signal > 0 else 0.0
    beside = (error_variance, 0.0, 0.0, of_explained, 0.0)
    error, noise, signal, explained, reliability = (
        bounded(float(v), np.asarray(without), level, extra)
        for v, without, extra in zip(value, left_out, beside, strict=True)
    )
    attainable = Bounded(*(float(np.sqrt(np.clip(number, 0.0, 1.0))) for number in reliability))
    return Certificate(error, noise, signal, explained, attainable, n_items, basis, level)


def over_units(
    squared: NDArray[np.float64],
    label: NDArray[np.float64],
    noise: NDArray[np.float64],
    unit: NDArray[np.int64] | None,
    block: int,
    *,
    level: float,
    name: str = "",
    variance: NDArray[np.float64] | None = None,
) -> Certificate:
    """Certificate of items whose units [items] are independent, from unbiased squared errors [items, columns].

    label, noise : float64 [items, columns], unbiased for the truth, and the variance of that. variance : of the squared
    error about its expectation, where the estimates hold less of it; it comes on top, times as much as cells of a unit go
    together. With unit None no two items are independent: then there are no intervals.
    """
    n, columns = squared.shape
    of_unit = np.arange(n) if unit is None else np.unique(unit, return_inverse=True)[1]
    n_units = int(of_unit.max()) + 1
    if n_units < 2:
        raise ValueError(f"the items{name} make {n_units} independent unit; expected at least 2 to tell their spread.")
    sums = np.zeros((n_units, columns))
    np.add.at(sums, of_unit, label)
    total = sums.sum(axis=0)
    squares = total @ total - 2 * sums @ total + np.einsum("uc,uc->u", sums, sums)
    all_of = [cells.sum() for cells in (squared, noise, label**2 - noise)]
    left_of = [
        whole - np.bincount(of_unit, weights=cells.sum(axis=1), minlength=n_units)
        for whole, cells in zip(all_of, (squared, noise, label**2 - noise), strict=True)
    ]

    def means(squared: Any, noise: Any, second: Any, squares: Any, items: Any) -> tuple[Any, Any, Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            signal = (second - (squares - noise) / items) / ((items - 1) * columns)
        return squared / (items * columns), noise / (items * columns), signal

    whole = means(*all_of, total @ total, n)
    if unit is None:
        nothing = np.full((3, n), np.nan)
        return certificate(Moments(*map(float, whole), *nothing), n, "samples that all items share: none", level)
    moments = Moments(*map(float, whole), *means(*left_of, squares, n - np.bincount(of_unit)))
    beside = 0.0
    if variance is not None:
        centred = squared - squared.mean()
        alone = float(np.sum(centred**2))
        together = float(np.sum(np.bincount(of_unit, weights=centred.sum(axis=1)) ** 2))
        beside = float(variance.sum()) / squared.size**2 * (together / alone if alone > 0 else 1.0)
    basis = f"{n_units:,} items" if block == 1 else f"{n_units:,} blocks of {block} ids that share draws"
    return certificate(moments, n, basis, level, beside)


def _measures(error: Any, noise: Any, signal: Any) -> tuple[Any, ...]:
    defined = np.where(np.asarray(signal) > 0, signal, np.nan)
    shown = np.maximum(signal, 0.0)
    total = shown + noise
    reliability = np.divide(shown, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return error, noise, signal, 1.0 - error / defined, reliability
