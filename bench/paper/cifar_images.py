r"""Claim: a network that sees images alone learns their values; and what features of another network are worth to it.

    python -m bench.paper.cifar_images [--data-dir DATA] [--sizes 10000] [--samples 5] [--seeds 5] [--minutes 170]
        [--out FOLDER] [--small]

The paper's valuation net is a ResNet-18 of the images; here it is of three strided convolutions, which two cores can train, by
the same recipe, on the labels of `cifar_sizes`. That experiment has the recipe on features, and the same tables.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import torch
from torch import nn

from bench import data
from bench.paper import cifar_sizes, valuing

SHAPE, MEAN, SPREAD = (3, 32, 32), 120.7, 64.1  # pixels of the training images


class Convolutional(nn.Module):
    """Features [rows, 256] of images [rows, 3072]."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Unflatten(1, SHAPE)]
        for channels, more in ((3, 32), (32, 64), (64, 128)):
            parts += [nn.Conv2d(channels, more, 3, stride=2, padding=1), nn.BatchNorm2d(more), nn.ReLU()]
        self.parts = nn.Sequential(*parts, nn.Flatten(), nn.Linear(128 * 16, 256), nn.ReLU())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.parts(images)


def on_images(setting: valuing.Setting, images: np.ndarray) -> valuing.Setting:
    """The same points as standardised images; the recipe trains a convolutional network."""
    X = ((images.reshape(len(images), -1) - MEAN) / SPREAD).astype(np.float32)
    recipe = dataclasses.replace(setting.recipe, net=Convolutional)
    return dataclasses.replace(setting, data=dataclasses.replace(setting.data, X=X), recipe=recipe)


def estimates(
    setting: valuing.Setting, bank: valuing.Bank, size: int, samples: int, seed: int
) -> dict[str, np.ndarray]:
    """Values of the points of known truth, from labels of the first `size` points and the images alone."""
    d, where = setting.data, setting.truth_items
    train, select = cifar_sizes.halves(bank, size, samples)
    chosen = None if None in select else select[0].merge(select[1])
    net = setting.recipe.fit(
        d.X[:size], d.y[:size], train[0].merge(train[1]), chosen, n_classes=setting.n_classes, seed=seed
    )
    return {"recipe, images": net.predict(d.X[where], d.y[where])}


def main(arguments: list[str] | None = None) -> None:
    given = cifar_sizes.parsed(__doc__, arguments, (10_000,))
    if given.small:
        given.sizes = [100]
    setting = cifar_sizes.setting_of(given)
    seen = on_images(setting, data.cifar10_images(data.folder(given.data_dir), setting.data.rows))
    cifar_sizes.run("images", partial(estimates, seen), setting, given)


if __name__ == "__main__":
    main()
