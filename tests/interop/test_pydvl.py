"""Values handed to pyDVL come back from it as they were; run where pyDVL is installed, refusals everywhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import fastsa
from fastsa.estimators import Distributional, PermutationShapley
from fastsa.games import Baseline, DataGame, FunctionGame, ModelGame
from fastsa.interop.pydvl import to_valuation_result
from fastsa.utilities import KNN

IDS = np.array([7, 3, 2**47, 11, 5])


def result_class():
    return pytest.importorskip(
        "pydvl.valuation.result", reason="pyDVL is not installed", exc_type=ImportError
    ).ValuationResult


def game(ids=IDS):
    weights = np.array([0.5, -1.0, 2.0, 0.0, 0.25])
    made = FunctionGame(lambda c: c @ weights + 0.3 * c[:, 0] * c[:, 2], 5)
    made.ids = np.asarray(ids, dtype=np.uint64)
    return made


def labels(**settings):
    return fastsa.LabelStream(game(), PermutationShapley(), samples=12, **settings).collect()


def test_labels_keep_values_errors_counts_and_ids():
    result_class()
    mine = labels()
    theirs = to_valuation_result(mine, names=list("abcde"))
    assert theirs.values.tolist() == mine.mean[:, 0].tolist()
    np.testing.assert_allclose(theirs.stderr, mine.stderr[:, 0], rtol=1e-15)
    assert theirs.counts.tolist() == [12] * 5 and theirs.indices.tolist() == IDS.tolist()
    assert theirs.names.tolist() == list("abcde") and "PermutationShapley" in theirs.algorithm
    assert theirs.get(2**47).value == mine.mean[2, 0]
    assert next(iter(theirs.sort(reverse=True))).value == mine.mean.max()


def test_their_sum_of_independent_labels_is_our_merge():
    result_class()
    one, two = labels(), labels(first_sample=12)
    both, ours = to_valuation_result(one) + to_valuation_result(two), one.merge(two)
    items = [both.get(int(i)) for i in ours.ids]  # their sum is in the order of the indices
    np.testing.assert_allclose([item.value for item in items], ours.mean[:, 0], rtol=0, atol=1e-12)
    assert [item.count for item in items] == ours.count.tolist()


def test_a_fitted_valuators_values_are_exported_with_its_standard_errors():
    result_class()
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 3))
    y = np.where(X[:, 0] > 0, "yes", "no")
    valuator = fastsa.DataValuator("knn", samples=4).fit(X[:120], y[:120], X[120:], y[120:], progress=False)
    theirs = to_valuation_result(valuator)
    assert theirs.values.tolist() == valuator.values_.tolist()
    np.testing.assert_allclose(theirs.stderr, valuator.stderr_, rtol=1e-15)
    assert theirs.indices.tolist() == list(range(120)) and set(theirs.counts.tolist()) == {4}


def test_one_output_of_several_is_chosen_and_an_array_is_exact():
    result_class()
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    many = fastsa.LabelStream(
        DataGame(KNN(3, score="correct"), X[:20], y[:20], X[20:], y[20:]), Distributional(2, 5), samples=3
    ).collect()
    assert to_valuation_result(many, output=4).values.tolist() == many.mean[:, 4].tolist()
    exact = to_valuation_result(fastsa.knn_shapley(X[:20], y[:20], X[20:], y[20:]))
    assert exact.stderr.tolist() == [0.0] * 20 and exact.counts.tolist() == [1] * 20


def test_what_is_exported_is_a_copy():
    result_class()
    mine = labels()
    before = mine.mean.copy()
    to_valuation_result(mine).values[:] = 9.0
    assert np.array_equal(mine.mean, before)


def test_refusals():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    data = DataGame(KNN(3, score="correct"), X[:20], y[:20], X[20:], y[20:])
    many = fastsa.LabelStream(data, Distributional(2, 5), samples=2).collect()
    models = ModelGame(lambda x: x.sum(axis=1), np.ones((2, 3)), Baseline(np.zeros(3)))
    with pytest.raises(ValueError, match=r"have 10 outputs; choose one with output=0 .. 9"):
        to_valuation_result(many)
    with pytest.raises(ValueError, match="output is 10; expected at most 9"):
        to_valuation_result(many, output=10)
    with pytest.raises(ValueError, match="are of many games"):
        to_valuation_result(fastsa.LabelStream(models, PermutationShapley(), samples=2).collect())
    with pytest.raises(ValueError, match="no values yet; call fit first"):
        to_valuation_result(fastsa.DataValuator())
    with pytest.raises(ValueError, match="values has shape"):
        to_valuation_result(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="the values are not Labels"):
        to_valuation_result(np.zeros(3), output=0)


def test_without_pydvl_one_sentence_names_it():
    code = (
        "import sys; sys.modules['pydvl'] = None\nfrom fastsa.interop.pydvl import to_valuation_result\n"
        "try:\n    to_valuation_result([1.0, 2.0])\nexcept RuntimeError as error:\n    print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == "BackendUnavailable to_valuation_result needs pyDVL: pip install 'pyDVL>=0.10'.\n"
