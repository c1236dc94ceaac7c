"""The paper's experiments: loaders read what they say, scores are unbiased, and the small forms run."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[1]))  # behind the installed package

import fastsa  # noqa: E402
from bench import data  # noqa: E402
from bench.curation.noisy_sets import NoisySet  # noqa: E402
from bench.paper import attributions, cells, explaining, fastshap, small_models, valuing  # noqa: E402
from fastsa import amortize, estimators, games  # noqa: E402


def test_the_truths_own_noise_leaves_no_error_behind():
    """400 inputs, 20 players: an estimate that is right scores 0, the mean attribution 1, within four standard errors."""
    rng = np.random.default_rng(0)
    right = rng.normal(size=(400, 20, 1)) + np.arange(20)[:, None]
    noisy = attributions.Truth(right + 0.7 * rng.normal(size=right.shape), np.full(right.shape, 0.49))
    assert abs(attributions.score(right, noisy).error) < 4 * 0.49 * np.sqrt(2 / right.size)
    constant = np.broadcast_to(right.mean(axis=0), right.shape)
    assert abs(attributions.score(constant, noisy).error - 1) < 0.05
    blind = attributions.Truth(noisy.values, np.zeros(right.shape))
    assert attributions.score(right, blind).error > 0.3


def test_what_an_error_is_worth_in_samples_is_the_noise_of_one_over_it():
    assert attributions.plain_samples_worth(error=0.1, noise_of_one=8.0, spread=2.0) == 40.0


def test_sequences_and_speakers_are_read_from_ts_files(tmp_path):
    folder = tmp_path / "vowels"
    folder.mkdir()
    text = "@equalLength true\n@data\n1,2,3:4,5,6:2\n7,8,9:0.5,0,1:1\n"
    for name in ("TRAIN", "TEST"):
        (folder / f"JapaneseVowels_eq_{name}.ts").write_text(text)
    X, y = data.vowels(tmp_path)["train"]
    assert X.tolist() == [[[1, 4], [2, 5], [3, 6]], [[7, 0.5], [8, 0], [9, 1]]] and y.tolist() == [1, 0]


MOLECULE = """ethanol
  program

  3  2  0  0  0  0            999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.0000    0.0000    0.0000 C   0  0
    2.0000    0.0000    0.0000 O   0  0
  1  2  1  0
  2  3  2  0
M  END
> <SOL_classification>
(B) medium

$$$$
"""


def test_atoms_bonds_and_classes_are_read_from_sdf_files(tmp_path):
    folder = tmp_path / "solubility"
    folder.mkdir()
    for name in ("train", "test"):
        (folder / f"solubility.{name}.sdf").write_text(2 * MOLECULE)
    atoms, bonds, classes = data.solubility(tmp_path, most_atoms=4)["test"]
    assert atoms.shape == (2, 4, 11) and classes.tolist() == [1, 1]
    assert atoms[0, :, 0].tolist() == [1, 1, 0, 0] and atoms[0, :, 2].tolist() == [0, 0, 1, 0]
    assert bonds[0].tolist() == [[0, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    assert atoms[0, :, -1].tolist() == [0.25, 0.5, 0.25, 0]


def test_images_of_rows_are_decoded_in_their_order(tmp_path):
    image = pytest.importorskip("PIL.Image")
    files = []
    for color in ((250, 10, 10), (10, 250, 10), (10, 10, 250)):
        file = io.BytesIO()
        image.new("RGB", (32, 32), color).save(file, "jpeg", quality=95)
        files.append(file.getvalue())
    offset = np.cumsum([0, *map(len, files)])
    np.savez(tmp_path / "cifar10_train.npz", jpeg=np.frombuffer(b"".join(files), np.uint8), offset=offset)
    found = data.cifar10_images(tmp_path, np.array([2, 0]))
    assert found.shape == (2, 3, 32, 32) and found.mean(axis=(2, 3)).argmax(axis=1).tolist() == [2, 0]


def test_missing_data_says_how_to_obtain_it(tmp_path):
    with pytest.raises(SystemExit, match="OpenML 1590"):
        data.adult(tmp_path)


def test_an_absent_node_changes_nothing_that_the_graph_network_says():
    torch.manual_seed(0)
    model = small_models.GraphClassifier(4, 3).eval()
    atoms, bonds = torch.rand(2, 5, 4), torch.ones(2, 5, 5)
    keep = torch.tensor([True, True, False, True, False])
    masked = model(atoms * keep[:, None], bonds * keep[:, None] * keep)
    assert torch.allclose(masked, model(atoms[:, keep], bonds[:, keep][:, :, keep]), atol=1e-6)


def test_an_experiment_fills_its_tables_and_its_record(tmp_path, capsys):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(260, 4)).astype(np.float32)
    permutation = estimators.PermutationShapley(antithetic=True)
    setup = explaining.Setup(
        name="Small",
        game=games.ModelGame(lambda x: np.tanh(x[:, 0] + x[:, 1] * x[:, 2]), X, games.Marginal(X[:50])),
        X=X,
        flat=X,
        n_train=200,
        truth_items={"training inputs": np.arange(40), "held-out inputs": np.arange(200, 260)},
        estimator=permutation,
        truth_estimator=permutation,
        truth_samples=300,
        new_net=lambda seed: amortize.AttributionNet("mlp", width=64, epochs=60, batch_size=32, seed=seed),
        train_cost=lambda net: 0.0,
    )
    given = argparse.Namespace(out=tmp_path, minutes=60.0, seeds=2, small=False)
    records = explaining.report(setup, [(3, 1)], given)
    held_out = records[0]["held-out inputs"]
    assert held_out["amortized"] < held_out["constant"]
    assert held_out["Monte Carlo, shrunk"] < held_out["Monte Carlo, whole budget"]
    shown = capsys.readouterr().out
    assert "Small, held-out inputs: 24 evaluations each" in shown and "samples of PermutationShapley" in shown
    assert [r["seed"] for r in records] == [0, 1] and records[0]["held-out inputs"] != records[1]["held-out inputs"]
    table = explaining.summary(setup, records, "held-out inputs")
    errors = [r["held-out inputs"]["amortized"] for r in records]
    assert table["24 evaluations", "amortized"] == pytest.approx(np.mean(errors)) and str(table) in shown
    setup.truths.clear()  # what was kept is read back, and nothing is made again
    again = explaining.report(setup, [(3, 1)], given)
    assert again == records and "took" not in capsys.readouterr().out
    known = explaining.truth(setup, "held-out inputs", tmp_path)
    np.testing.assert_allclose(
        known.values, np.load(tmp_path / "estimates" / "small-200-3-0.npz")["truth"], rtol=1e-5, atol=1e-6
    )


def _named(*names):
    folder = Path(os.environ.get("FASTSA_DATA", ""))
    there = {"fashion-mnist": (folder / "fashion-mnist").exists() or data._DEBIAN.exists()}
    missing = [name for name in names if not there.get(name, (folder / name).exists())]
    return pytest.mark.skipif(bool(missing), reason=f"FASTSA_DATA has no {', '.join(missing)}")


@_named("adult.npz", "cifar10_mobilenetv2.npz", "cifar10_train.npz")
def test_all_experiments_whose_data_are_there_run_in_their_small_forms(capsys):
    from bench.paper import __main__ as paper

    paper.main(["all", "--small"])
    shown = capsys.readouterr().out
    assert "Adult, held-out inputs: 78 evaluations each" in shown
    assert "adult-250, 10 samples per point" in shown and "cifar10-10-500, 5 samples per point" in shown
    assert "sizes, cifar10-10-500: Pearson on points without" in shown
    assert (
        shown.count("\nData-OOB") == 4 and "Adult: inputs or samples" in shown
    )  # two settings, errors and wrong classes
    assert "Adult, 78 evaluations, each one row of the model" in shown and "FastSHAP, equal operations" in shown
    assert "Adult, labels of 78 evaluations, each one row of the model: errors" in shown and "LIME, unit" in shown


def _forest_of_three_variables():
    """A boosted classifier of five columns, the last three of one player; its inputs."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 5)).round(1).astype(np.float32)
    y = X[:, 0] * X[:, 1] + X[:, 2:].sum(axis=1) + 0.3 * rng.normal(size=400) > 0
    return HistGradientBoostingClassifier(max_iter=8, random_state=0).fit(X, y), np.array([0, 1, 2, 2, 2]), X


def test_tables_and_cubes_hold_what_the_classifier_says_of_every_coalition():
    from bench.paper import adult_games

    model, player, X = _forest_of_three_variables()
    forest, x, background = adult_games.Forest.of(model, player), X[:4], X[20:27]
    tables, cubes = forest.tables(x, background), forest.cubes(x, background)
    assert np.allclose(forest.probability(X), model.predict_proba(X)[:, 1], atol=1e-12)
    for item in range(4):
        for mask in range(8):
            said = model.predict_proba(np.where((mask >> player) & 1 == 1, x[item], background))[:, 1]
            assert abs(said.mean() - tables[item, mask]) < 1e-6
            for row in range(7):
                differ, place, seen = cubes["differ"][item, row], cubes["offset"][item, row], 0
                for bit in range(3):
                    if differ >> bit & 1:
                        place += (mask >> bit & 1) << seen
                        seen += 1
                assert abs(said[row] - cubes["values"][place]) < 1e-6


def test_a_game_of_tables_looks_up_its_coalitions():
    from bench.paper import adult_games

    tables = np.random.default_rng(4).random((3, 8), np.float32)
    tables[:, 0] = 0.5
    coalitions = np.arange(8)[:, None] >> np.arange(3) & 1 == 1
    game = adult_games.game_of(tables)
    for item in range(3):
        assert np.array_equal(game.evaluate(np.full(8, item), coalitions)[:, 0], tables[item])


def test_rivals_spend_what_they_are_given_and_sgd_takes_the_papers_shrinkage():
    from bench.paper import rivals, sgd_labels

    X = np.random.default_rng(5).normal(size=(6, 13))
    drawn = games.ModelGame(lambda x: x.sum(axis=1), X, games.Marginal(np.zeros((3, 13))))
    whole = games.ModelGame(lambda x: x.sum(axis=1), X, games.Baseline())
    for game in (drawn, whole):
        for estimator in (estimators.KernelSHAP(), estimators.LIME(), estimators.PermutationShapley(antithetic=True)):
            spent = rivals.labels_of(game, estimator, 78, 0).evaluations / 6
            assert 77 <= spent <= 78, (estimator, spent)
    steps = rivals.sgd(whole, 78, debiased=False)
    assert abs(steps.shrinkage(13, 38) - sgd_labels.PAPER_SHRINKAGE) < 1e-6


def test_a_method_that_older_records_lack_is_left_out_and_named():
    score = dict.fromkeys(valuing.MEASURES, 0.5)
    old = {"setting": "s", "samples": 5, "scores": {valuing.MONTE_CARLO: score}}
    new = {**old, "scores": {valuing.MONTE_CARLO: score, "Data-OOB": score}}
    assert "Data-OOB" in [row[0] for row in valuing.table([new, new]).rows]
    mixed = valuing.table([old, new])
    assert [row[0] for row in mixed.rows] == [valuing.MONTE_CARLO] and "left out: Data-OOB" in str(mixed)


def _small_setting(flipped: int) -> valuing.Setting:
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    given = np.where(np.arange(60) < flipped, 1 - y, y)
    pool = NoisySet(X, given, y, X[:20], y[:20], X[:0], y[:0])
    estimator = fastsa.estimators.Distributional(min_size=4, max_size=12, shared=4)
    return valuing.Setting("small", pool, fastsa.utilities.KNN(3), estimator, np.arange(10), 5)


def test_kept_labels_are_those_drawn_and_those_of_another_game_are_refused(tmp_path, capsys):
    drawn = valuing.Bank(_small_setting(6), 1, [4], tmp_path).labels("train", 0, 2)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sorted(written) == ["small-train-0-1-1.npz", "small-train-1-2-1.npz"]
    again = valuing.Bank(_small_setting(6), 1, [4], tmp_path).labels("train", 0, 2)
    assert np.array_equal(again.mean, drawn.mean) and np.array_equal(again.ids, drawn.ids)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    other = valuing.Bank(_small_setting(20), 1, [4], tmp_path).labels("train", 0, 2)
    assert "another game" in capsys.readouterr().out and not np.array_equal(other.mean, drawn.mean)


def test_an_unknown_experiment_is_named():
    from bench.paper import __main__ as paper

    with pytest.raises(SystemExit, match="nonsense: expected 'all' or some of adult_attribution"):
        paper.main(["nonsense"])


@_named("fashion-mnist")
def test_informed_explainers_spend_the_same_in_their_small_form(capsys):
    from bench.paper import informed

    informed.main(["--small"])
    shown = capsys.readouterr().out
    spent = [
        int(line.split('"evaluations": ')[1].split(",")[0]) for line in shown.splitlines() if '"evaluations"' in line
    ]
    assert len(spent) == 4 and max(spent) < 1.03 * 12 * 200 and min(spent) > 0.85 * 12 * 200


def test_a_record_is_json_that_any_reader_takes_and_comes_back_as_it_was(tmp_path):
    cell = {"scores": {"constant": {"error": 1.0, "Pearson": float("nan")}}, "found": {"all": [0.5, float("nan")]}}
    cells.write({**cell, "worth": [np.inf, -np.inf]}, tmp_path / "cell.json")
    assert not any(word in (tmp_path / "cell.json").read_text() for word in ("NaN", "Infinity"))
    again = cells.read(tmp_path / "cell.json")
    assert again["worth"] == [np.inf, -np.inf] and again["scores"]["constant"]["error"] == 1.0
    assert np.isnan(again["scores"]["constant"]["Pearson"])
    assert again["found"]["all"][0] == 0.5 and np.isnan(again["found"]["all"][1])


def test_cells_are_read_back_and_none_is_begun_when_time_is_over(tmp_path, capsys):
    given = argparse.Namespace(out=tmp_path / "new", minutes=60.0)
    made = []

    def make() -> dict:
        made.append(1)
        return {"error": 0.5}

    assert cells.Cells(given)("a", make) == {"error": 0.5} == cells.Cells(given)("a", make) and len(made) == 1
    over = cells.Cells(argparse.Namespace(out=given.out, minutes=-1.0))
    assert over("a", make) == {"error": 0.5} and over("b", make) is None and len(made) == 1
    assert "b was not begun" in capsys.readouterr().out
    assert cells.Cells(argparse.Namespace(out=None, minutes=1.0))("b", make) == {"error": 0.5} and len(made) == 2
    assert [path.name for path in given.out.iterdir()] == ["a.json"]


def test_figures_and_maps_read_what_experiments_leave(tmp_path, monkeypatch):
    from bench.paper import figures, maps

    monkeypatch.setattr(sys, "argv", ["figures", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="at several budgets"):
        figures.main()
    for samples, seed in ((3, 0), (3, 1), (6, 0), (6, 1)):
        errors = {method: 1 / samples + 0.01 * seed for method, *_ in figures.METHODS}
        record = {"name": "Small", "evaluations_per_input": 28.0 * samples, "held-out inputs": errors}
        cells.write(record, tmp_path / f"small-100-{samples}-{seed}.json")
    for size, seed in ((100, 0), (100, 1), (200, 0), (200, 1)):
        errors = {method: {"error": 50 / size + 0.01 * seed} for method, *_ in figures.SIZES}
        known = {"labelled": errors, "others": {method: errors[method] for method in ("recipe", "amortized")}}
        cells.write({"size": size, "seed": seed, **known}, tmp_path / f"sizes-small-{size}-5-{seed}.json")
    figures.main()
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("attribution.png", "sizes.png"))
    rng = np.random.default_rng(0)
    kept = {name: rng.normal(size=(4, 49, 10)) for name, _ in maps.SHOWN}
    np.savez(tmp_path / "fashion_vit_49_patches_unbiased-kernel-100-32-0.npz", **kept)
    runs = sorted(tmp_path.glob(maps.RUNS))
    maps.draw(runs, rng.random((6, 1, 28, 28)), tmp_path / "maps.png")
    assert len(runs) == 1 and (tmp_path / "maps.png").stat().st_size > 10_000


def test_fastshap_is_given_no_more_operations_than_the_network_on_labels():
    for operations, epochs, pass_ in ((66.0, 5, 6.4), (66.0, 2, 6.4), (35.5, 1, 5.99), (10.0, 2, 1.0)):
        schedule = fastshap.Schedule.within(operations, epochs, pass_)
        spent = epochs * (schedule.coalitions + pass_)
        assert spent <= operations < spent + 2 * epochs
        assert schedule.coalitions % 2 == 0
