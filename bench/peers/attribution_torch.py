"""captum's and shap's permutation sampling of a torch network: processor seconds per model row, and as a multiple of a
forward pass.
Environment: pip install torch "captum==0.9.0" "shap==0.51.0"; with the name of one of the two as first argument.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from network import BATCH, ORDERS, forward_seconds_per_row, inputs, network  # noqa: E402

torch.set_num_threads(1)
INPUTS, TURNS = 4, 7  # of 64: they are taken one by one
model, X = network(), inputs()[:INPUTS]
rows = 0


def outputs(x: torch.Tensor) -> torch.Tensor:
    global rows
    rows += len(x)
    with torch.inference_mode():
        return model(x)


def captum() -> None:
    """Its inputs at once, several perturbations an evaluation, so that batches are as large as ours."""
    from captum.attr import ShapleyValueSampling

    torch.manual_seed(0)
    together = ShapleyValueSampling(lambda x: outputs(x)[:, 0])
    together.attribute(X, n_samples=ORDERS, perturbations_per_eval=100)


def shap() -> None:
    """Half as many permutations, each there and back; one background row."""
    import shap as package

    masker = package.maskers.Independent(np.zeros((1, X.shape[1]), np.float32))
    explain = package.PermutationExplainer(lambda x: outputs(torch.from_numpy(x).float()).numpy(), masker, seed=0)
    explain(X.numpy(), max_evals=ORDERS // 2 * (2 * X.shape[1] + 1), silent=True)


run = {"captum": captum, "shap": shap}[sys.argv[1]]
run()  # the first compiles
turns = []
for _ in range(TURNS):
    rows, start = 0, time.process_time()
    run()
    total = (time.process_time() - start) / rows
    turns.append((total, total / forward_seconds_per_row(model, 4 * BATCH)))
print("seconds", statistics.median(total for total, _ in turns))
print("of_forward", statistics.median(ratio for _, ratio in turns))
