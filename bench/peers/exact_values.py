"""fastsa.exact beside shap's exact explainer and shapiq's ExactComputer: the largest difference on real models, by hand.

    python bench/peers/exact_values.py

Environment: Python 3.12 or later with fastsa, scikit-learn, pip install "shap==0.54.1" "shapiq==1.8.0". Gradient boosting and a
multilayer perceptron on scikit-learn's diabetes data (10 features) and its breast cancer data (8 of 30), features masked by
the rows of one background set.
"""

from __future__ import annotations

import sys

import numpy as np
import shap
import shapiq
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastsa
from fastsa.games import Marginal, ModelGame

ALLOWED = 1e-6
ITEMS, BACKGROUND = 4, 25


def cases():
    """(name, fitted model, its outputs as a function, features)"""
    X, y = load_diabetes(return_X_y=True)
    for model in (
        GradientBoostingRegressor(random_state=0),
        make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(16,), max_iter=2000, random_state=0)),
    ):
        model.fit(X, y)
        yield f"diabetes, {name_of(model)}", model, lambda x, m=model: m.predict(x)[:, None], X
    X, y = load_breast_cancer(return_X_y=True)
    X = np.ascontiguousarray(X[:, :8])
    for model in (
        GradientBoostingClassifier(random_state=0),
        make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(16,), max_iter=2000, random_state=0)),
    ):
        model.fit(X, y)
        yield f"breast cancer, {name_of(model)}", model, model.predict_proba, X


def name_of(model):
    return type(model[-1] if hasattr(model, "steps") else model).__name__


def by_shap(f, items, background):
    masker = shap.maskers.Independent(background, max_samples=len(background))
    values = shap.explainers.Exact(f, masker)(items).values
    return values.reshape(*items.shape, -1)


def by_shapiq(f, items, background):
    """ExactComputer on the game v(S) = mean over the background, an input and an output at a time."""
    n, found = items.shape[1], []
    for item in items:
        outputs = f(item[None]).shape[1]

        def values(coalitions, item=item):
            joined = [np.where(c[None], item, background) for c in coalitions.astype(bool)]
            return f(np.concatenate(joined)).reshape(len(coalitions), len(background), -1).mean(axis=1)

        per_output = []
        for output in range(outputs):
            computer = shapiq.ExactComputer(lambda c, o=output: values(c)[:, o], n_players=n)
            per_output.append(computer("SV").get_n_order_values(1))
        found.append(np.stack(per_output, axis=-1))
    return np.stack(found)


def main() -> int:
    worst = 0.0
    for name, model, f, X in cases():
        order = np.random.default_rng(0).permutation(len(X))
        items, background = X[order[:ITEMS]], X[order[ITEMS : ITEMS + BACKGROUND]]
        ours = fastsa.exact(ModelGame(model, items, Marginal(background)))
        for peer, values in (("shap", by_shap), ("shapiq", by_shapiq)):
            largest = np.abs(ours - values(f, items, background)).max()
            worst = max(worst, largest)
            print(f"{name:45s} {peer:7s} largest difference {largest:.1e} of values up to {np.abs(ours).max():.3g}")
    print(f"largest of all: {worst:.1e}, allowed: {ALLOWED:.0e}")
    return int(not worst <= ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
