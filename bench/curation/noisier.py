r"""Why values that find more wrong classes need not clean better: noise is added to amortized values, and models retrained.

    python bench/curation/noisier.py --data-dir DATA --keep VALUES --sets adult

Noise of so many times the root mean square difference of Monte Carlo and amortized values is added to the latter, and the
lowest share --flipped dropped. Points, values and models are those of run.py with the same settings and the log-loss for
a utility; means over --seeds seeds.
"""

from __future__ import annotations

import argparse

import numpy as np
from learner import Learner
from run import Seed, parsed
from threadpoolctl import threadpool_limits
from valued import AMORTIZED, MONTE_CARLO, PREFIXES

from fastsa.curation.retraining import Retraining
from fastsa.display import Table
from fastsa.metrics import mislabel_detection

_TIMES = (0.5, 1.0, 2.0)


def noisier(one: Seed, samples: int) -> dict[str, np.ndarray]:
    """Monte Carlo, amortized values, and these with noise."""
    (values,) = one.from_labels(samples)
    which = PREFIXES["log_loss"]
    monte_carlo, amortized = values.methods[which + MONTE_CARLO], values.methods[which + AMORTIZED]
    noise = np.sqrt(np.mean((monte_carlo - amortized) ** 2))
    rng = np.random.default_rng([one.seed, 2025])
    more = {f"amortized + {k:g} x noise": amortized + k * noise * rng.normal(size=amortized.size) for k in _TIMES}
    return {MONTE_CARLO: monte_carlo, AMORTIZED: amortized} | more


def told(one: Seed, values: np.ndarray, share: float) -> tuple[float, ...]:
    """(AUPRC, wrong classes left, test accuracy, log-loss) with the lowest share dropped."""
    data = one.data
    task = Retraining(data.X, data.y, data.X_test, data.y_test, Learner())
    kept = np.argsort(values, kind="stable")[round(share * values.size) :]
    right, loss = task.judged(kept)
    wrong = data.is_mislabeled
    return mislabel_detection(values, wrong).auprc, float(wrong[kept].sum()), float(right.mean()), float(loss.mean())


def report(given: argparse.Namespace) -> None:
    for name in given.sets:
        for samples in given.samples:
            found: dict[str, list[tuple[float, ...]]] = {}
            for number in range(given.seeds):
                one = Seed(name, number, given)
                for method, values in noisier(one, samples).items():
                    found.setdefault(method, []).append(told(one, values, given.flipped))
            rows = tuple((method, *map(float, np.mean(cells, axis=0))) for method, cells in found.items())
            title = f"{name}, {samples} samples per point"
            print(f"\n{Table(('', 'AUPRC', 'wrong classes', 'accuracy', 'log-loss'), rows, (), title)}", flush=True)


def main() -> None:
    given = parsed(__doc__)
    given.utilities = ["log_loss"]
    with threadpool_limits(1):
        report(given)


if __name__ == "__main__":
    main()
