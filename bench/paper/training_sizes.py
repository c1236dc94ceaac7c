r"""Open question of the paper: with the evaluations fixed, many inputs of noisy labels or few of accurate ones?

    python -m bench.paper.training_sizes [--data-dir DATA] [--out FOLDER] [--seeds 5] [--minutes 60] [--inputs 10000] [--small]

Adult as in `rivals`, an evaluation being one row of the model: `--inputs` inputs of one antithetic permutation each (26
evaluations), half of them of two, and so on; each network takes as many steps. The paper configured such runs and reports
none. Beside each the error that its own labels have: on inputs seen, they are all that is known without a network.
"""

from __future__ import annotations

import numpy as np

import fastsa
from bench import data
from bench.paper import attributions, valuing
from bench.paper.adult_games import Adult, adult_games
from bench.paper.cells import Cells
from bench.paper.rivals import ANTITHETIC, new_net, parser_of, scores
from fastsa import amortize
from fastsa.display import Table

PASSES = 100_000  # of inputs through each network in training


def cell(adult: Adult, inputs: int, samples: int, seed: int, passes: int) -> dict:
    """A network of `inputs` inputs with `samples` antithetic permutations each."""
    X, exact = adult.X[:inputs], fastsa.exact(adult.whole)
    game, new = adult.game(X), adult.game(adult.X_new)
    labels = fastsa.LabelStream(game, ANTITHETIC, samples=samples, seed=seed).collect()
    own = fastsa.LabelStream(new, ANTITHETIC, samples=samples, role="certify", seed=seed).collect()
    net = new_net(seed, max(1, passes // inputs)).fit(X, labels, ends=amortize.ends(game))
    found = {"labels": own.mean, "amortized": net.predict(adult.X_new, ends=amortize.ends(new))}
    made = scores(found, attributions.Truth(exact, np.zeros_like(exact)))
    return {"inputs": inputs, "samples": samples, "seed": seed, "scores": made, "evaluations": labels.evaluations}


def table(cells: dict[tuple[int, int], list[dict]]) -> Table:
    rows = []
    for (inputs, samples), of in cells.items():
        error, pearson = ([c["scores"]["amortized"][m] for c in of] for m in ("error", "Pearson"))
        labels = float(np.mean([c["scores"]["labels"]["error"] for c in of]))
        rows.append((f"{inputs:,}", samples, labels, *valuing.over_seeds(error), *valuing.over_seeds(pearson)))
    head = ("inputs", "samples each", "labels", "amortized", "95 % interval", "Pearson", "95 % interval ")
    first = next(iter(cells.values()))
    evaluations = f"{first[0]['evaluations']:,} evaluations for every network, {len(first)} seeds"
    return Table(head, tuple(rows), (f"{evaluations}; the mean attribution scores 1.",), "Adult: inputs or samples")


def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(inputs=10_000)
    given = parser.parse_args(arguments)
    n_held_out, halvings, passes = 100, 5, PASSES
    if given.small:
        given.inputs, given.seeds, n_held_out, halvings, passes = 160, 1, 20, 2, 500
    adult = adult_games(
        data.adult(data.folder(given.data_dir)), n_train=given.inputs, n_held_out=n_held_out, small=given.small
    )
    kept = Cells(given)
    cells: dict[tuple[int, int], list[dict]] = {}
    for seed in range(given.seeds):
        made = {}
        for halving in range(halvings):
            inputs, samples = given.inputs >> halving, 1 << halving
            made[inputs, samples] = kept(
                f"training-sizes-{inputs}-{samples}-{seed}", lambda i=inputs, s=samples: cell(adult, i, s, seed, passes)
            )
        if None in made.values():
            continue
        for size, record in made.items():
            cells.setdefault(size, []).append(record)
    if cells:
        print(table(cells))


if __name__ == "__main__":
    main()
