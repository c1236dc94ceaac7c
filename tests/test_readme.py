"""The README: its code runs, its figures are those recorded in bench/README.md, its floors are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECORDED = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_there_are_three_examples_or_more():
    assert len(blocks(README, "python")) >= 3


@pytest.mark.parametrize("code", blocks(README, "python"), ids=lambda code: code.splitlines()[0][:40])
def test_an_example_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_every_figure_is_recorded_with_its_command():
    lines = [line.strip() for block in blocks(README, "text") for line in block.splitlines() if re.search(r"\d", line)]
    recorded = {line.strip() for line in RECORDED.splitlines()}
    assert len(lines) >= 10
    assert [line for line in lines if line not in recorded] == []


def test_the_floors_in_the_readme_are_rooms_of_the_package():
    (floors,) = re.findall(r"<!-- floors -->\n```\n(.*?)```", README, flags=re.DOTALL)
    rooms = {room for line in floors.splitlines() for room in line.split("  ")[0].split()}
    package = ROOT / "fastsa"
    known = {p.stem for p in package.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert rooms and rooms - {"csrc"} <= known
