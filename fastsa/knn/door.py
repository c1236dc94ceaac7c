"""The front door of the KNN-Shapley family: takes the data as users have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.knn import inputs
from fastsa.ops import _device, device_neighbors, draw_chances, neighbor_lists
from fastsa.ops import knn_shapley as closed_forms
from fastsa.ops import neighbors as tiles

VARIANTS = ("hard", "soft", "regression", "weighted", "threshold")
_DEFAULT_BITS = 3


def knn_shapley(
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
    *,
    k: int = 5,
    variant: str = "hard",
    index: str = "shapley",
    metric: str = "euclidean",
    radius: float | None = None,
    weights: Any = None,
    bits: int | None = None,
    neighbors: Any = None,
    epsilon: float = 0.0,
    reduce: bool = True,
    n_threads: int | None = None,
    max_bytes: int | None = None,
    device: str = "cpu",
) -> NDArray[np.float64] | Iterator[NDArray[np.float64]]:
    """Exact values of training points under a nearest-neighbour utility, averaged over validation points: float64 [n].

    Parameters
    ----------
    X, y : training points [n, d] and their classes [n] (targets for "regression"); frames, any real dtype and layout,
        classes of any dtype. float16, float32 and float64 arrays, memory-mapped ones too, are read where they are.
    X_val, y_val : validation points [m, d] and their classes, which y must have. Both None: every training point is
        valued by all the others, and left out of its own neighbours.
    k : neighbours, at least 1, default 5; beyond n all points are neighbours. "threshold" has no use for it.
    variant : the utility of a coalition S at one validation point, M of whose min(k, |S|) nearest members match its class:
        "hard"        M / k, and 0 for the empty coalition (Jia et al., PVLDB 2019); KNN(k, score="vote")
        "soft"        M / min(k, |S|), and 1 / classes for the empty one (Wang and Jia, 2023)
        "regression"  -(sum of their targets / k - target)^2 (Jia et al., 2019)
        "weighted"    1 where the weights of matches sum to at least those of the others, else 0, and 0 for the empty
                      coalition (Wang, Mittal and Jia, AISTATS 2024; k up to 28)
        "threshold"   the share of matches among all members within `radius`, 1 / classes where there are none (Wang et
                      al., 2023)
    index : "shapley" (default), "banzhaf" or "leave-one-out".
    metric : "euclidean" (default), "cosine" (euclidean between points scaled to length one) or "inner" (the largest
        inner product is nearest). Neighbours are ranked by (distance, index).
    radius : of "threshold": a euclidean distance, a cosine distance 1 - cos, or the least inner product.
    weights, bits : of "weighted". None is 1 / distance, where points at distance zero leave the others no weight; or an
        array [m, n], none negative. Divided by their largest and rounded to multiples of 2**-bits, by default 3, at
        most 10.
    neighbors : ranked neighbours in place of X and X_val (both None): a pair of arrays [m, length], indices and
        distances, or a CSR matrix [m, n] of distances. For "hard", "soft" and "regression". Lists that leave points out
        are for "hard", and for an `epsilon` that they can keep.
    epsilon : the largest error of a value that is accepted, default 0: exact. "hard": points are worth 0 from the first
        rank on whose step (1 / max(rank, k) for the Shapley value; Jia et al., 2019) is within it.
        "weighted", Shapley value: points beyond rank k / epsilon take nobody's place among the k nearest.
    reduce : False returns an iterator over blocks [some, n] of the values at each validation point, in order, instead.
    n_threads : default every processor. The bytes of the result do not depend on it.
    max_bytes : bound of the working memory over all threads, default 512 MiB (at least 8 rows of values); with "cuda"
        of that on the device, beside the points.
    device : "cpu" (default) or "cuda", CuPy's current device, where neighbours are ranked by the same distances to the
        byte and values differ by rounding alone. X and X_val of the host are copied there; CuPy's, and whatever has
        `__cuda_array_interface__`, are read where they are. Classes pass through the host in any case. Values are
        CuPy's where X is on the device, else they are copied back. No "weighted", `neighbors` or n_threads there.

    Raises ValueError or TypeError where an argument is not as above or has no meaning for the variant, and for NaN,
    infinities or classes of y_val that y does not have; BackendUnavailable where "cuda" lacks what it needs.

    >>> import fastsa, numpy as np
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), ["cat", "dog", "cat"]
    >>> fastsa.knn_shapley(X, y, [[0.1]], ["cat"], k=1).round(6).tolist()
    [0.833333, -0.166667, 0.333333]
    """
    k = _checks.count("k", k, most=_checks.MOST_PLAYERS)
    _checks.choice("variant", variant, VARIANTS)
    _checks.choice("index", index, draw_chances.INDICES)
    _checks.choice("metric", metric, tiles.METRICS)
    _check_meaning(variant, index, radius, weights, bits, neighbors, metric)
    epsilon = _epsilon(variant, index, epsilon)
    for name, value in (("n_threads", n_threads), ("max_bytes", max_bytes)):
        if value is not None:
            _checks.count(name, value)
    if not isinstance(reduce, (bool, np.bool_)):
        raise TypeError(f"reduce is {reduce!r}; expected True or False.")
    cuda = _device.cuda(device, n_threads)
    if cuda is not None:
        _check_device_has(variant, neighbors)
    if neighbors is not None:
        lists, y, y_val, n_classes = _listed(neighbors, X, y, X_val, y_val, variant)
        return _value_lists(lists, y, y_val, n_classes, k, variant, index, epsilon, reduce, n_threads)

    stays = cuda is not None and cuda.holds(X)
    X, X_val = inputs.both_points(X, X_val, y_val, cuda)
    n_val = None if X_val is None else X_val.shape[0]
    y, y_val, n_classes = inputs.both_targets(y, y_val, X.shape[0], n_val, variant, cuda)
    classes = (y, y_val) if n_classes else (None, None)
    hood = tiles.Neighborhood(X, X_val, *classes, metric)
    hood.check(cuda)
    n = hood.n_neighbors
    if variant == "regression":
        terms: Any = closed_forms.regression_terms(y, y if y_val is None else y_val, index, n, k)
    elif variant == "weighted":
        weights = inputs.explicit_weights(weights, hood.n_val, hood.n)
        bits = _DEFAULT_BITS if bits is None else _checks.count("bits", bits, least=0, most=closed_forms.MOST_BITS)
        terms = closed_forms.weighted_vote(weights, index, n, k, bits, epsilon)
    elif variant == "threshold":
        terms = closed_forms.threshold_terms(index, n, _reach(radius, metric), n_classes)
    else:
        terms = closed_forms.match_steps(variant, index, n, k, n_classes)
        ranks = closed_forms.ranks_for(terms, epsilon) if variant == "hard" else n
        if ranks < n:
            terms = closed_forms.NearestSteps(closed_forms.truncated(terms, ranks).step)
    if cuda is not None:
        return _value_on_device(cuda, hood, terms, reduce, max_bytes, stays)
    work = tiles.mean_values if reduce else tiles.value_blocks
    return work(hood, terms, max_bytes=max_bytes, n_threads=n_threads)


def _check_device_has(variant: str, neighbors: Any) -> None:
    if variant == "weighted":
        raise _checks.BackendUnavailable(
            "the variant 'weighted' is counted rank by rank in tables that a CUDA device has no kernel for; use "
            "device='cpu'."
        )
    if neighbors is not None:
        raise _checks.BackendUnavailable(
            "neighbors that are ranked already are valued on the host alone; use device='cpu', or pass X and X_val."
        )


def _value_on_device(
    cuda: _device.Cuda, hood: tiles.Neighborhood, terms: Any, reduce: bool, max_bytes: int | None, stays: bool
) -> Any:
    """Values on the device where they stay, else copied to the host."""
    if reduce:
        values = device_neighbors.mean_values(cuda, hood, terms, max_bytes=max_bytes)
        return values if stays else cuda.on_host(values)
    blocks = device_neighbors.value_blocks(cuda, hood, terms, max_bytes=max_bytes)
    return blocks if stays else map(cuda.on_host, blocks)


def _check_meaning(variant: str, index: str, radius: Any, weights: Any, bits: Any, neighbors: Any, metric: str) -> None:
    """Refuse what the variant would ignore, and the lack of what it needs."""
    if (radius is None) == (variant == "threshold"):
        need = "expected a number" if radius is None else 'only "threshold" has one'
        raise ValueError(f"radius is {radius!r} for the variant {variant!r}; {need}.")
    if variant != "weighted" and not (weights is None and bits is None):
        raise ValueError(f'weights or bits are given for the variant {variant!r}; only "weighted" has them.')
    if variant == "weighted" and weights is None and metric == "inner":
        raise ValueError('weights 1 / distance have no meaning for the metric "inner"; pass weights.')
    if neighbors is not None and variant in ("weighted", "threshold"):
        raise ValueError(f'neighbors are given for the variant {variant!r}; expected "hard", "soft" or "regression".')


def _epsilon(variant: str, index: str, epsilon: Any) -> float:
    epsilon = _checks.number("epsilon", epsilon)
    if not 0.0 <= epsilon < 1.0:
        raise ValueError(f"epsilon is {epsilon}; expected 0 (exact) or an error below 1.")
    if epsilon and not (variant == "hard" or (variant == "weighted" and index == "shapley")):
        raise ValueError(
            f'epsilon is {epsilon} for {index} values of the variant {variant!r}; expected "hard", or shapley values '
            'of "weighted", or 0.'
        )
    return epsilon


def _reach(radius: Any, metric: str) -> float:
    """The radius as the native distances have it."""
    radius = _checks.number("radius", radius)
    if metric == "inner":
        return -radius
    if radius < 0:
        raise ValueError(f"radius is {radius}; expected at least 0.")
    return radius * radius if metric == "euclidean" else 2.0 * radius


def _value_lists(
    lists: neighbor_lists.NeighborLists,
    y: NDArray[Any],
    y_val: NDArray[Any],
    n_classes: int,
    k: int,
    variant: str,
    index: str,
    epsilon: float,
    reduce: bool,
    n_threads: int | None,
) -> Any:
    n = lists.n
    if variant == "regression":
        terms: Any = closed_forms.regression_terms(y, y_val, index, n, k)
    else:
        terms = closed_forms.match_steps(variant, index, n, k, n_classes)
    if variant == "hard":
        kept = closed_forms.ranks_for(terms, epsilon)
        if lists.shortest < kept:
            reached = float(terms.step[lists.shortest - 1])
            raise ValueError(
                f"a neighbour list has {lists.shortest} of {n} points, which leaves an error of up to {reached:.3g}; "
                f"epsilon is {epsilon:g}. Give longer lists, or accept that error by epsilon={reached:.3g}."
            )
        if kept < n:
            lists, terms = lists.truncated(kept), closed_forms.truncated(terms, kept)
    elif lists.shortest < n:
        raise ValueError(
            f"a neighbour list has {lists.shortest} of {n} points; the variant {variant!r} needs all of them."
        )
    classes = (None, None) if variant == "regression" else (y, y_val)
    work = neighbor_lists.ListedWork(lists, terms, *classes, n_threads)
    return work.mean_values() if reduce else work.value_blocks()


def _listed(
    neighbors: Any, X: Any, y: Any, X_val: Any, y_val: Any, variant: str
) -> tuple[neighbor_lists.NeighborLists, NDArray[Any], NDArray[Any], int]:
    if X is not None or X_val is not None:
        raise ValueError("neighbors are given beside X or X_val; expected one or the other, so pass None for both.")
    n = np.asarray(y).shape[0]
    if hasattr(neighbors, "indptr"):
        lists = neighbor_lists.from_graph(neighbors, n)
    elif isinstance(neighbors, (tuple, list)) and len(neighbors) == 2:
        lists = neighbor_lists.from_arrays(*neighbors, n)
    else:
        raise TypeError(
            f"neighbors is a {type(neighbors).__name__}; expected a pair (indices, distances) or a CSR matrix."
        )
    y, y_val, n_classes = inputs.both_targets(y, y_val, n, lists.n_val, variant)
    return lists, y, y_val, n_classes
