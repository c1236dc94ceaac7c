r"""Run experiments by name, or all of them.

    python -m bench.paper all [--small] [--data-dir DATA] [--out FOLDER]
    python -m bench.paper fashion_vit tabular_valuation --small

What follows the names goes to every experiment. One whose data are missing says so and is passed over; the exit status is 1
where nothing could be run.
"""

from __future__ import annotations

import importlib
import sys

EXPERIMENTS = (
    "adult_attribution",
    "rivals",
    "label_estimators",
    "norms",
    "training_sizes",
    "fashion_vit",
    "fastshap",
    "graphs",
    "sequences",
    "tabular_valuation",
    "cifar_valuation",
    "cifar_sizes",
    "cifar_images",
    "scale",
    "split",
    "partial",
    "transfer",
    "noise_tolerance",
)


def main(arguments: list[str]) -> None:
    first_option = next((i for i, a in enumerate(arguments) if a.startswith("-")), len(arguments))
    names, options = arguments[:first_option], arguments[first_option:]
    unknown = [name for name in names if name not in (*EXPERIMENTS, "all")]
    if not names or unknown:
        raise SystemExit(
            f"{' '.join(unknown) or 'no name was given'}: expected 'all' or some of {', '.join(EXPERIMENTS)}."
        )
    done = [run(name, options) for name in (EXPERIMENTS if "all" in names else names)]
    if not any(done):
        raise SystemExit(1)


def run(name: str, options: list[str]) -> bool:
    """Whether the data of the experiment were there."""
    print(f"== {name}\n", flush=True)
    try:
        importlib.import_module(f"bench.paper.{name}").main(options)
    except SystemExit as missing:
        print(f"not run: {missing}\n")
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
