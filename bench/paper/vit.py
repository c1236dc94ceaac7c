"""A small vision transformer: the model explained, its masked surrogate, and the backbone of its explainer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        rows, length, width = tokens.shape
        qkv = self.qkv(self.before_attention(tokens)).reshape(rows, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(rows, length, width)
        tokens = tokens + self.project(mixed)
        return tokens + self.mlp(self.before_mlp(tokens))


class Backbone(nn.Module):
    """Images [rows, channels, size, size] to one token per patch, after a token for the class: [rows, 1 + patches, width]."""

    def __init__(
        self, size: int = 28, patch: int = 4, channels: int = 1, width: int = 64, depth: int = 4, heads: int = 4
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, width, patch, patch)
        self.place = nn.Parameter(0.02 * torch.randn(1, 1 + (size // patch) ** 2, width))
        self.start = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.width = width

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.start.expand(images.shape[0], -1, -1), patches], dim=1)
        return self.norm(self.blocks(tokens + self.place))


class Classifier(nn.Module):
    """Class log-odds [rows, classes] from the class token."""

    def __init__(self, n_classes: int = 10, **backbone: int) -> None:
        super().__init__()
        self.backbone = Backbone(**backbone)
        self.head = nn.Linear(self.backbone.width, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images)[:, 0])


class Probabilities(nn.Module):
    """What is explained: the softmax of a classifier."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(images).softmax(dim=1)


def train_classifier(
    model: Classifier, images: torch.Tensor, classes: torch.Tensor, *, epochs: int, seed: int, batch: int = 128
) -> Classifier:
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-3, total_steps=steps + 1)
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for rows in order[: len(order) // batch * batch].split(batch):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(model(images[rows]), classes[rows]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def train_surrogate(
    classifier: Classifier, images: torch.Tensor, grid: int, *, epochs: int, seed: int, batch: int = 128
) -> Classifier:
    """A copy that sees masked images and answers as the classifier does on whole ones (KL); a patch stays with chance 1 - u."""
    import copy

    torch.manual_seed(seed)
    model = copy.deepcopy(classifier).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps + 1)
    patch = images.shape[-1] // grid
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for rows in order[: len(order) // batch * batch].split(batch):
            whole = images[rows]
            keep = torch.rand(batch, 1, grid, grid) >= torch.rand(batch, 1, 1, 1)
            masked = whole * keep.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
            with torch.no_grad():
                target = classifier(whole).softmax(dim=1)
            optimizer.zero_grad(set_to_none=True)
            functional.kl_div(model(masked).log_softmax(dim=1), target, reduction="batchmean").backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def passes_of_training(explainer: nn.Module, model: nn.Module, image: torch.Tensor) -> float:
    """What a step of training on one image costs, in forward passes of `model`: by floating-point operations."""
    from torch.utils.flop_counter import FlopCounterMode

    def operations(run: Callable[[], object]) -> int:
        with FlopCounterMode(display=False) as counter:
            run()
        return counter.get_total_flops()

    with torch.no_grad():
        forward = operations(lambda: model(image))
    return operations(lambda: explainer(image).sum().backward()) / forward
