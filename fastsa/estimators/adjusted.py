"""Regression-adjusted sample reuse: a linear fit on other samples takes what it can; only its residual is averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.linear_pool import Semivalue, paid
from fastsa.estimators.pool import Block, Pool
from fastsa.estimators.size_laws import kernel_over_inner_sizes
from fastsa.games import Roster

_FOLDS = 2
_PENALTIES = 10.0 ** np.arange(-6.0, 2.5, 0.5)  # of the mean eigenvalue
_CHARGE = 1.2  # of a degree of freedom: at 1, fits of barely more samples than players may choose to follow the noise
_LEAST_EIGENVALUE = 1e-10  # of the largest; below, a direction that the samples do not tell


@dataclass(frozen=True)
class AdjustedMSR(Semivalue):
    """Semivalues by regression-adjusted maximum sample reuse (Witter, Liu and Musco, NeurIPS 2025), with linear fits.

    The coalitions and weights of `Semivalue`. Samples with even and odd numbers are two folds: an additive game g is fitted
    by ridge regression to one, its own semivalue (its coefficients) is taken exactly, and the other fold's mean of the
    weights times v - g corrects it; then the other way round, and the mean of both. Each fit is independent of the samples
    that correct it, so labels are unbiased whatever the fit. Coefficients are drawn towards equal shares of v(N) - v(empty)
    by the penalty of least generalised cross-validation (Golub, Heath and Wahba 1979) on the fold itself, a degree of freedom
    counted 1.2 times (Kim and Gu 2004); pairs are fitted by their differences.

    Standard errors come from the corrections of both folds. Raises ValueError as Semivalue, and for fewer than four samples.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 2.0 + c[:, 1], 3)
    >>> fastsa.LabelStream(game, fastsa.estimators.AdjustedMSR(), samples=60).collect().mean[:2].ravel().round(3).tolist()
    [2.0, 1.0]
    """

    def least_samples(self, n_players: int) -> int:
        return 2 * _FOLDS

    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        fits = self._fits(pool, roster)
        return (fits[::-1] + self._corrections(pool, roster, fits, power=1)).sum(axis=0) / _FOLDS

    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        fits = self._fits(pool, roster)
        first, second = (self._corrections(pool, roster, fits, power=power) for power in (1, 2))
        freedom = _samples_of_folds(pool)[:, None, None, None] - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            return (np.maximum(second - first**2, 0.0) / freedom).sum(axis=0) / _FOLDS**2

    def _corrections(self, pool: Pool, roster: Roster, fits: NDArray[np.float64], *, power: int) -> NDArray[np.float64]:
        """For each fold its mean power of what players are paid by the other fold's residual: [folds, games, n, outputs]."""
        fold_of = pool.sample % _FOLDS
        total = np.zeros_like(fits)
        for block in self.blocks(pool, roster):
            for fold in range(_FOLDS):
                own = fold_of[block.samples] == fold
                payments = (paid_each[:, own] for paid_each in self._residual_payments(pool, block, fits[1 - fold]))
                total[fold, block.games] += paid(block.members[:, own], *payments, power=power)
        with np.errstate(divide="ignore", invalid="ignore"):
            return total / _samples_of_folds(pool)[:, None, None, None]

    def _fits(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        """For each fold the coefficients of the additive game v(empty) + sum of c_i: [folds, games, n, outputs]."""
        n, games, fold_of = roster.n_players, roster.game_ids.size, pool.sample % _FOLDS
        grams = np.zeros((_FOLDS, games, n, n))
        moments = np.zeros((_FOLDS, games, n, roster.n_outputs))
        energies = np.zeros((_FOLDS, games, roster.n_outputs))
        shares = np.stack([_share(pool, fold_of == fold, n) for fold in range(_FOLDS)])
        for block in self.blocks(pool, roster):
            for fold in range(_FOLDS):
                own = fold_of[block.samples] == fold
                members = block.members[:, own]
                values = pool.above_empty(block.games, block.samples)[:, own]
                weight = kernel_over_inner_sizes(n)[members.sum(axis=2)][..., None]
                design, outcome = members.astype(np.float64), values[:, :, 0]
                if self.paired:
                    design, outcome = 2 * design - 1, outcome - values[:, :, 1]
                outcome = outcome - design.sum(axis=2)[..., None] * shares[fold, block.games][:, None]
                of_players = design.transpose(0, 2, 1)
                grams[fold, block.games] += of_players @ (weight * design)
                moments[fold, block.games] += of_players @ (weight * outcome)
                energies[fold, block.games] += (weight * outcome**2).sum(axis=1)
        return shares[:, :, None] + _ridge(grams, moments, energies, _samples_of_folds(pool)[:, None])

    def _residual_payments(
        self, pool: Pool, block: Block, fit: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As `_payments`, of the game v - g with g additive from v(empty)."""
        games, samples, members = block.games, block.samples, block.members
        coefficients = fit[games]
        predicted = members.astype(np.float64) @ coefficients
        total = coefficients.sum(axis=1)
        of_sample = np.stack([predicted, total[:, None] - predicted][: self.coalitions_of_a_sample], axis=2)
        rest = Pool(
            pool.values[games, samples] - of_sample,
            pool.empty[games, samples] if pool.own_backgrounds else pool.empty[games],
            pool.whole[games] - total,
            pool.seed[samples],
            pool.role[samples],
            pool.sample[samples],
        )
        return self._payments(rest, slice(None), slice(None), members, members.shape[2])


def _share(pool: Pool, own: NDArray[np.bool_], n_players: int) -> NDArray[np.float64]:
    """An equal share of v(N) - v(empty) [games, outputs], as the samples `own` tell it."""
    empty = pool.empty[:, own].mean(axis=1) if pool.own_backgrounds else pool.empty
    return (pool.whole - empty) / n_players


def _ridge(
    grams: NDArray[np.float64], moments: NDArray[np.float64], energies: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Coefficients [..., n, outputs] of ridge regressions of so many rows, each output's penalty by cross-validation.

    grams [folds, games, n, n], moments [folds, games, n, outputs], energies [folds, games, outputs]: X'X, X'y and y'y. With
    the penalty p, e > 0 the eigenvalues of X'X and m the moments along its axes, the residual sum of squares is
    y'y - sum of m^2 / e + sum of (m^2 / e) (p / (e + p))^2, and generalised cross-validation that over
    (rows - charge * sum of e / (e + p))^2; penalties that leave no freedom are out.
    """
    values, axes = np.linalg.eigh(grams)
    turned = axes.transpose(0, 1, 3, 2) @ moments
    there = values > _LEAST_EIGENVALUE * values[:, :, -1:]
    explained = np.divide(turned**2, values[..., None], out=np.zeros(turned.shape), where=there[..., None])
    told_apart = (rows > there.sum(axis=2))[..., None]
    left = np.where(told_apart, np.maximum(energies - explained.sum(axis=2), 0.0), 0.0)
    scale = values.mean(axis=2, keepdims=True) + 1e-300
    best, coefficients = np.full(energies.shape, np.inf), np.zeros(moments.shape)
    for penalty in _PENALTIES:
        stretched = np.where(there, values, 0.0) + penalty * scale
        shrunk = penalty * scale / stretched
        residual = left + (explained * (shrunk**2)[..., None]).sum(axis=2)
        free = rows - _CHARGE * ((1 - shrunk) * there).sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where((free > 0)[..., None], residual / free[..., None] ** 2, np.inf)
        better = error < best
        best = np.where(better, error, best)
        coefficients = np.where(better[:, :, None], turned * there[..., None] / stretched[..., None], coefficients)
    return axes @ coefficients


def _samples_of_folds(pool: Pool) -> NDArray[np.int64]:
    return np.bincount(pool.sample % _FOLDS, minlength=_FOLDS)
