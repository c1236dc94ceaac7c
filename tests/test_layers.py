"""The house keeps its floors, `import fastsa` is light, and every public name has a home and an example that runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import floors
import pytest

import fastsa

PACKAGE = Path(fastsa.__file__).parent


def test_every_import_is_from_a_floor_below():
    assert floors.violations(PACKAGE) == []


def test_the_parts_of_amortize_keep_to_themselves():
    assert floors.aside(PACKAGE, "amortize") == []


def test_an_import_of_another_part_is_found(tmp_path):
    house = tmp_path / "fastsa"
    shutil.copytree(PACKAGE, house, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    path = house / "amortize/ridge.py"
    path.write_text(path.read_text() + "\nfrom fastsa.amortize.valuation.net import ValuationNet\n")
    (trouble,) = floors.aside(house, "amortize")
    assert "amortize/ridge.py" in trouble and "another part of amortize" in trouble


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("ops/permutations.py", "from fastsa.utilities import KNN", "not on a floor below ops"),
        ("ops/permutations.py", "def late():\n    from fastsa.labels import Labels", "not on a floor below ops"),
        ("utilities/knn.py", "from fastsa import games", "not on a floor below utilities"),
        ("utilities/knn.py", "from fastsa import Labels", "not on a floor below utilities"),
        ("games/game.py", "import fastsa.estimators", "not on a floor below games"),
        ("games/game.py", "import fastsa", "every floor at once"),
        ("games/game.py", "from .. import labels", "not on a floor below games"),
        ("games/game.py", "from ..labels.labels import Labels", "not on a floor below games"),
        ("games/game.py", "import importlib\nimportlib.import_module('fastsa.labels')", "not on a floor below games"),
        ("estimators/permutation.py", "from fastsa._exact import exact", "not on a floor below estimators"),
        ("_checks.py", "from fastsa import _threads", "not on a floor below _checks"),
        ("_exact.py", "if False:\n    from fastsa import estimators", "not on a floor below _exact"),
        ("labels/labels.py", "from fastsa.nowhere import x", "no room of the house"),
        ("helpers.py", "", "in no room"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path, file, line, words):
    house = tmp_path / "fastsa"
    shutil.copytree(PACKAGE, house, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    assert floors.violations(house) == []
    path = house / file
    path.write_text((path.read_text() if path.exists() else "") + "\n" + line + "\n")
    (found,) = floors.violations(house)
    assert words in found and found.startswith(file)


@pytest.mark.parametrize(
    "line",
    [
        "from fastsa.labels.stream import LabelStream",
        "from .stream import LabelStream",
        "from fastsa import __version__",
        "import numpy",
        "from fastsa.ops.walks import Walks",
        "from fastsa import _checks",
    ],
)
def test_imports_within_a_room_and_from_below_are_fine(tmp_path, line):
    house = tmp_path / "fastsa"
    shutil.copytree(PACKAGE, house, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    path = house / "labels/labels.py"
    path.write_text(path.read_text() + "\n" + line + "\n")
    assert floors.violations(house) == []


def loaded_after(statement) -> set[str]:
    code = f"import sys\n{statement}\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    return set(
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
    )


HEAVY = {"torch", "numba", "sklearn", "scipy", "matplotlib", "pandas", "tqdm", "cupy"}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import fastsa") & HEAVY


def test_making_labels_loads_nothing_heavy():
    statement = (
        "import fastsa, numpy as np\n"
        "g = fastsa.games.DataGame(fastsa.utilities.Logistic(), [[0.0], [1.0], [2.0]], [0, 1, 1], [[0.0]], [0])\n"
        "fastsa.LabelStream(g, fastsa.estimators.PermutationShapley(), samples=2).collect()"
    )
    assert not loaded_after(statement) & HEAVY


@pytest.mark.parametrize("name", fastsa.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    found = getattr(fastsa, name)
    if name == "__version__":
        assert found == importlib.metadata.version("fastsa")
        return
    text = inspect.getdoc(found)
    assert text, f"fastsa.{name} has no docstring"
    assert inspect.ismodule(found) or ">>> " in text, f"fastsa.{name} has no example"


def public_parts():
    for room in (
        "ops",
        "display",
        "utilities",
        "games",
        "estimators",
        "labels",
        "metrics",
        "amortize",
        "planning",
        "curation",
    ):
        module = importlib.import_module(f"fastsa.{room}")
        for name in module.__all__:
            part = getattr(module, name)
            if inspect.isclass(part) or inspect.isfunction(part):
                yield pytest.param(room, part, id=f"{room}.{name}")


def is_exception(part):
    return inspect.isclass(part) and issubclass(part, BaseException)


@pytest.mark.parametrize(("room", "part"), list(public_parts()))
def test_what_the_rooms_offer_is_documented(room, part):
    text = inspect.getdoc(part)
    assert text and part.__doc__, f"{part.__name__} has no docstring"
    if inspect.isfunction(part) or (room in ("ops", "utilities") and not is_exception(part)):
        assert ">>> " in text, f"{part.__name__} has no example"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'fastsa' has no attribute 'shapely'"):
        fastsa.shapely
    assert set(fastsa.__all__) <= set(dir(fastsa))


def modules():
    names = [
        m.name
        for m in pkgutil.walk_packages([str(PACKAGE)], "fastsa.")
        if m.name.rpartition(".")[2] not in ("_core", "_cuda", "_testing")
    ]
    return ["fastsa", *names]


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_the_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_every_file_opens_with_a_sentence():
    import ast

    for path in PACKAGE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


IMPORT_FROM_HERE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if f.__module__ in ("_frozen_importlib", "_frozen_importlib_external")]
import fastsa
"""


def test_a_source_folder_that_is_not_compiled_says_what_to_do(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "fastsa", ignore=shutil.ignore_patterns("_core*", "__pycache__"))
    command = [sys.executable, "-c", IMPORT_FROM_HERE]
    error = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stderr
    assert "ImportError: fastsa was imported from" in error and "pip install -e ." in error
