"""Networks of several seeds: their mean predicts, their spread tells where they are unsure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks


class Ensemble:
    """Several networks that differ by seed alone (Lakshminarayanan et al., NeurIPS 2017), fitted and asked as one.

    The squared error of the mean of members is below the mean of theirs by exactly their variance (the ambiguity
    decomposition; Krogh and Vedelsby 1995).

    Parameters
    ----------
    new_net : a function of a seed that makes a network with `fit` and `predict`: AttributionNet or ValuationNet.
    members : how many; default 5, at least 2.
    seed : of the first member, the next ones count on; default 0.

    `spread` is the standard deviation over members: it does not see what all of them get wrong, nor the noise of the
    labels that they share, so it ranks errors and is no standard error. `fastsa.amortize.conformal_interval` makes
    intervals of it.

    Raises ValueError for fewer than two members.

    >>> import fastsa, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1], X, fastsa.games.Baseline())
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=2).collect()
    >>> nets = fastsa.amortize.Ensemble(lambda seed: fastsa.amortize.AttributionNet(epochs=3, seed=seed), members=3)
    >>> nets.fit(X, labels).predict(X).shape, nets.spread(X).shape
    ((80, 3, 1), (80, 3, 1))
    """

    def __init__(self, new_net: Callable[[int], Any], members: int = 5, *, seed: int = 0) -> None:
        if not callable(new_net):
            raise TypeError(
                f"new_net is a {type(new_net).__name__}; expected a function of a seed that makes a network."
            )
        self.new_net = new_net
        self.members = _checks.count("members", members, least=2)
        self.seed = _checks.seed(seed)

    def fit(self, *given: Any, **options: Any) -> Ensemble:
        """Fit every member on the same; arguments are those of the network's own `fit`. Returns self."""
        self.nets_ = tuple(self.new_net(self.seed + member) for member in range(self.members))
        for net in self.nets_:
            net.fit(*given, **options)
        return self

    def predict(self, *given: Any, **options: Any) -> NDArray[np.float64]:
        """The mean of the members' predictions; arguments are those of the network's own `predict`."""
        return self.predictions(*given, **options).mean(axis=0)

    def spread(self, *given: Any, **options: Any) -> NDArray[np.float64]:
        """The standard deviation of the members' predictions, dividing by members - 1."""
        return self.predictions(*given, **options).std(axis=0, ddof=1)

    def predictions(self, *given: Any, **options: Any) -> NDArray[np.float64]:
        """What every member predicts: float64 [members, ...]."""
        if not hasattr(self, "nets_"):
            raise ValueError("this Ensemble has not been fitted; call fit or load first.")
        return np.stack([net.predict(*given, **options) for net in self.nets_])

    def save(self, path: str | Path) -> None:
        """Write a folder with one file per member, as the network's own `save` writes it."""
        if not hasattr(self, "nets_"):
            raise ValueError("this Ensemble has not been fitted; call fit or load first.")
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("member-*.safetensors")):
            raise ValueError(f"{folder} holds an ensemble already; expected an empty folder.")
        for member, net in enumerate(self.nets_):
            net.save(folder / f"member-{member:03d}.safetensors")

    @staticmethod
    def load(path: str | Path, load_net: Callable[[Path], Any]) -> Ensemble:
        """Read what `save` wrote; `load_net` reads a member, such as AttributionNet.load. It predicts the same bytes."""
        files: Sequence[Path] = sorted(Path(path).glob("member-*.safetensors"))
        if len(files) < 2:
            raise ValueError(f"{path} holds {len(files)} members of an ensemble; expected a folder written by save.")
        ensemble = Ensemble(_no_new_net, len(files))
        ensemble.nets_ = tuple(load_net(file) for file in files)
        return ensemble


def _no_new_net(seed: int) -> Any:
    raise ValueError("an Ensemble that was loaded makes no new networks; make one with Ensemble(new_net) to fit.")
