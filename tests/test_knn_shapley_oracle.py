"""Every KNN-Shapley value equals enumeration: the utility is written out from its definition, over all coalitions."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastsa
from fastsa._threads import Cancel
from fastsa.ops import Walks
from fastsa.utilities import KNN
from fastsa.utilities.data import SupervisedData

TOLERANCE = 1e-12
UTILITIES = ("hard", "soft", "regression", "weighted", "threshold")
INDICES = ("shapley", "banzhaf", "leave-one-out")


def distance(a, b, metric):
    """Of two points, as README and docstrings define it."""
    a, b = [float(x) for x in a], [float(x) for x in b]
    if metric == "inner":
        return -sum(x * z for x, z in zip(a, b, strict=True))
    if metric == "cosine":
        a_scale = 1.0 / math.sqrt(sum(x * x for x in a))
        b_scale = 1.0 / math.sqrt(sum(x * x for x in b))
        a, b = [x * a_scale for x in a], [x * b_scale for x in b]
    return sum((x - z) * (x - z) for x, z in zip(a, b, strict=True))


def utilities_of_all(case, own, ranked, distances, explicit_weights):
    """v of all coalitions of the ranked players: float64 [2**players], player j of the ranking being bit j."""
    n = len(ranked)
    members = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 == 1
    kept = members & (np.cumsum(members, axis=1) <= case["k"])
    size, kept_size = members.sum(axis=1), kept.sum(axis=1)
    y = np.array([case["y"][i] for i in ranked])
    match = y == own
    variant = case["variant"]
    if variant == "hard":
        return (kept & match).sum(axis=1) / case["k"]
    if variant == "soft":
        return np.where(size > 0, (kept & match).sum(axis=1) / np.maximum(kept_size, 1), 1 / case["n_classes"])
    if variant == "regression":
        return -(((kept * y).sum(axis=1) / case["k"] - own) ** 2)
    if variant == "threshold":
        radius = case["radius"]
        reach = {"euclidean": radius**2, "cosine": 2 * radius, "inner": -radius}[case["metric"]]
        within = members & (np.array([distances[i] for i in ranked]) <= reach)
        shares = (within & match).sum(axis=1) / np.maximum(within.sum(axis=1), 1)
        return np.where(within.any(axis=1), shares, 1 / case["n_classes"])
    weights = vote_weights([distances[i] for i in ranked], explicit_weights and [explicit_weights[i] for i in ranked])
    steps = np.array([round(w * 2 ** case["bits"]) for w in weights]) * np.where(match, 1, -1)
    return ((kept * steps).sum(axis=1) >= 0) & (size > 0)


def vote_weights(squared, explicit):
    """Weights by rank, the largest of them 1."""
    if explicit is None:
        nearest = min(squared)
        explicit = [float(s == 0) if nearest == 0 else math.sqrt(nearest) / math.sqrt(s) for s in squared]
    largest = max(explicit)
    return [w / largest if largest > 0 else 0.0 for w in explicit]


def index_of_all(v, n, index):
    """The index of every player of a game given by all its values."""
    coalition = np.arange(1 << n)
    size = np.array([int(c).bit_count() for c in coalition])
    if index == "shapley":
        weight = np.array([1 / (n * math.comb(n - 1, s)) if s < n else 0.0 for s in range(n + 1)])
    elif index == "banzhaf":
        weight = np.full(n + 1, 2.0 ** -(n - 1))
    else:
        weight = np.array([float(s == n - 1) for s in range(n + 1)])
    values = np.zeros(n)
    for j in range(n):
        without = coalition[(coalition >> j) & 1 == 0]
        values[j] = (weight[size[without]] * (v[without | 1 << j].astype(float) - v[without].astype(float))).sum()
    return values


def enumerated(case):
    """Values per validation point: float64 [m, n]."""
    own_points = case["X_val"] is None
    X_val = case["X"] if own_points else case["X_val"]
    y_val = case["y"] if own_points else case["y_val"]
    values = np.zeros((len(X_val), len(case["X"])))
    for v, (point, own) in enumerate(zip(X_val, y_val, strict=True)):
        players = [i for i in range(len(case["X"])) if not (own_points and i == v)]
        if not players:
            continue
        distances = {i: distance(case["X"][i], point, case["metric"]) for i in players}
        ranked = sorted(players, key=lambda i: (distances[i], i))
        explicit = None if case.get("weights") is None else list(case["weights"][v])
        all_values = utilities_of_all(case, own, ranked, distances, explicit)
        values[v, ranked] = index_of_all(all_values, len(ranked), case["index"])
    return values


def computed(case, **options):
    keywords = {name: case[name] for name in ("k", "variant", "index", "metric", "radius", "weights", "bits")}
    if case["variant"] != "weighted":
        keywords["bits"] = None
    return fastsa.knn_shapley(case["X"], case["y"], case["X_val"], case["y_val"], **keywords, **options)


@st.composite
def problems(draw):
    """Few points on a small grid: ties and duplicates are the rule."""
    variant = draw(st.sampled_from(UTILITIES))
    metric = draw(st.sampled_from(["euclidean", "cosine", "inner"]))
    n, m, d = draw(st.integers(1, 8)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    grid = st.integers(1, 4) if metric == "cosine" else st.integers(-1, 2)
    X = np.array(draw(st.lists(grid, min_size=n * d, max_size=n * d)), dtype).reshape(n, d)
    X_val = np.array(draw(st.lists(grid, min_size=m * d, max_size=m * d)), dtype).reshape(m, d)
    own_points = draw(st.booleans())
    if variant == "regression":
        numbers = st.integers(-8, 8).map(lambda i: i / 4)
        y = np.array(draw(st.lists(numbers, min_size=n, max_size=n)))
        y_val = np.array(draw(st.lists(numbers, min_size=m, max_size=m)))
    else:
        y = np.array(draw(st.lists(st.integers(0, draw(st.integers(0, 2))), min_size=n, max_size=n)))
        y_val = y[draw(st.lists(st.integers(0, n - 1), min_size=m, max_size=m))]
    weights = None
    if variant == "weighted" and (metric == "inner" or draw(st.booleans())):
        rows = n if own_points else m
        steps = draw(st.lists(st.integers(0, 3), min_size=rows * n, max_size=rows * n))
        weights = np.array(steps, float).reshape(-1, n)
    return {
        "variant": variant,
        "index": draw(st.sampled_from(INDICES)),
        "metric": metric,
        "k": draw(st.integers(1, 10)),
        "X": X,
        "y": y,
        "X_val": None if own_points else X_val,
        "y_val": None if own_points else y_val,
        "n_classes": len(set(y.tolist())),
        "radius": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])) if variant == "threshold" else None,
        "weights": weights,
        "bits": draw(st.integers(0, 4)) if variant == "weighted" else None,
    }


def features_of(case):
    """What a case exercises."""
    points = [tuple(x) for x in case["X"].tolist()]
    X_val = case["X"] if case["X_val"] is None else case["X_val"]
    seen = {case["variant"], case["index"], case["metric"]}
    if len(set(points)) < len(points):
        seen.add("duplicates")
    for point in X_val:
        apart = [distance(x, point, case["metric"]) for x in case["X"]]
        if any(apart[i] == apart[j] and points[i] != points[j] for i in range(len(apart)) for j in range(i)):
            seen.add("ties of different points")
    if case["k"] >= len(points):
        seen.add("k >= n")
    if case["n_classes"] == 1:
        seen.add("one class")
    if case["X_val"] is None:
        seen.add("self-valuation")
    return seen


def test_every_utility_and_index_equals_enumeration_on_cases_that_hit_ties_duplicates_large_k_and_one_class():
    hit: Counter[str] = Counter()

    @settings(max_examples=700)
    @given(problems())
    def check(case):
        expected = enumerated(case)
        np.testing.assert_allclose(computed(case), expected.mean(axis=0), rtol=0, atol=TOLERANCE)
        blocks = np.concatenate(list(computed(case, reduce=False)))
        np.testing.assert_allclose(blocks, expected, rtol=0, atol=TOLERANCE)
        hit.update(features_of(case))

    check()
    kinds = (*UTILITIES, *INDICES, "euclidean", "cosine", "inner", "duplicates", "ties of different points", "k >= n")
    for kind in (*kinds, "one class", "self-valuation"):
        assert hit[kind] >= 20, f"only {hit[kind]} of the cases had: {kind}"


@pytest.mark.parametrize("variant", UTILITIES)
@pytest.mark.parametrize("index", INDICES)
def test_ten_points_equal_enumeration(variant, index):
    rng = np.random.default_rng(11)
    y = rng.normal(size=10).round(2) if variant == "regression" else rng.integers(0, 3, 10)
    case = {
        "variant": variant,
        "index": index,
        "metric": "euclidean",
        "k": 4,
        "X": rng.normal(size=(10, 2)).astype(np.float32),
        "y": y,
        "X_val": rng.normal(size=(3, 2)).astype(np.float32),
        "y_val": y[:3],
        "n_classes": len(set(y.tolist())),
        "radius": 1.5 if variant == "threshold" else None,
        "weights": None,
        "bits": 3 if variant == "weighted" else None,
    }
    np.testing.assert_allclose(computed(case), enumerated(case).mean(axis=0), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("k", [1, 3, 9])
def test_hard_values_are_those_of_the_vote_utility_that_games_walk_through(k):
    rng = np.random.default_rng(17)
    X, X_val = rng.integers(0, 3, (7, 2)).astype(float), rng.integers(0, 3, (4, 2)).astype(float)
    y, y_val = np.array([0, 1, 2, 0, 1, 2, 0], np.int32), np.array([0, 1, 2, 0], np.int32)
    coalitions = (np.arange(1 << 7)[:, None] >> np.arange(7)) & 1 == 1
    prepared = KNN(k, score="vote").prepare(SupervisedData(X, y, 7, X_val, y_val, 3))
    walks = Walks.of_coalitions(coalitions)
    earned = prepared.walk(walks, max_bytes=1 << 20, n_threads=1, cancel=Cancel())[:, 0]
    earned[0] = 0.0  # the empty coalition is the game's to fill
    expected = index_of_all(earned, 7, "shapley")
    np.testing.assert_allclose(fastsa.knn_shapley(X, y, X_val, y_val, k=k), expected, rtol=0, atol=TOLERANCE)


def test_the_oracle_tells_the_utilities_and_the_indices_apart():
    rng = np.random.default_rng(5)
    y = np.array([0, 1, 1, 0, 2, 0, 1, 2])
    base = {
        "metric": "euclidean",
        "k": 3,
        "X": rng.normal(size=(8, 2)),
        "y": y,
        "X_val": rng.normal(size=(4, 2)),
        "y_val": y[1:5],
        "n_classes": 3,
        "radius": 1.0,
        "weights": None,
        "bits": 3,
    }
    answers = {(v, i): enumerated({**base, "variant": v, "index": i}) for v in UTILITIES for i in INDICES}
    alike = {("hard", "leave-one-out"), ("soft", "leave-one-out")}  # with more than k points left, both divide by k
    for a in answers:
        for b in answers:
            assert a == b or {a, b} == alike or np.abs(answers[a] - answers[b]).max() > 1e-3
