"""A cheap stand-in for a vision transformer: some of its own blocks, taught what one patch adds to a coalition."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from bench.paper import vit

PART = 20_000
"""Pairs of one generator: more pairs are the same and others after them."""
GAIN = 10.0
"""Weight of the squared error of what a patch adds, in units of the squared error of values: both then count alike."""


class Shortened(nn.Module):
    """Class probabilities of images, from the blocks of a classifier at `kept`; the last is run for the class token only."""

    def __init__(self, whole: vit.Classifier, kept: tuple[int, ...]) -> None:
        super().__init__()
        backbone = copy.deepcopy(whole.backbone)
        self.embed, self.place, self.start, self.norm = backbone.embed, backbone.place, backbone.start, backbone.norm
        self.blocks = nn.ModuleList([backbone.blocks[i] for i in kept])
        self.head = copy.deepcopy(whole.head)

    def log_odds(self, images: torch.Tensor) -> torch.Tensor:
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.start.expand(images.shape[0], -1, -1), patches], dim=1) + self.place
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return self.head(self.norm(class_token(self.blocks[-1], tokens)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.log_odds(images).softmax(dim=1)


def class_token(block: vit.Block, tokens: torch.Tensor) -> torch.Tensor:
    """The first token [rows, width] after a block: only it asks, all answer."""
    rows, length, width = tokens.shape
    before = block.before_attention(tokens)
    weight, bias = block.qkv.weight, block.qkv.bias
    asked = functional.linear(before[:, :1], weight[:width], bias[:width])
    answered = functional.linear(before, weight[width:], bias[width:])
    q = asked.reshape(rows, 1, block.heads, -1).transpose(1, 2)
    k, v = answered.reshape(rows, length, 2, block.heads, -1).permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(q, k, v).reshape(rows, width)
    token = tokens[:, 0] + block.project(mixed)
    return token + block.mlp(block.before_mlp(token))


@dataclass(frozen=True)
class Pairs:
    """Coalitions of images before and after one patch joins: image [pairs], keep bool [pairs, 2, patches], answers [pairs, 2, outputs]."""

    image: torch.Tensor
    keep: torch.Tensor
    answers: torch.Tensor


def masked(images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Images [rows, 1, size, size] with the patches that are not kept [rows, patches] at zero."""
    grid = int(keep.shape[1] ** 0.5)
    patch = images.shape[-1] // grid
    square = keep.reshape(-1, 1, grid, grid).to(images.dtype)
    return images * square.repeat_interleave(patch, 2).repeat_interleave(patch, 3)


def drawn(n_images: int, n_patches: int, part: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and the coalitions of all sizes alike that a random patch joins, as in permutations."""
    generator = torch.Generator().manual_seed(1000 * (seed + 1) + part)
    image = torch.randint(0, n_images, (PART,), generator=generator)
    rank = torch.rand(PART, n_patches, generator=generator).argsort(1).argsort(1)
    size = torch.randint(0, n_patches, (PART, 1), generator=generator)
    return image, torch.stack([rank < size, rank <= size], dim=1)


def asked(model: nn.Module, images: torch.Tensor, n_patches: int, pairs: int, seed: int) -> Pairs:
    """Pairs and what the model answers: two evaluations each."""
    parts = [drawn(len(images), n_patches, part, seed) for part in range(-(-pairs // PART))]
    image, keep = (torch.cat(each)[:pairs] for each in zip(*parts, strict=True))
    answers = []
    with torch.inference_mode():
        for rows in torch.arange(pairs).split(25):
            answers.append(model(masked(images[image[rows]].repeat_interleave(2, 0), keep[rows].flatten(0, 1))))
    return Pairs(image, keep, torch.cat(answers).clone().reshape(pairs, 2, -1))


def taught(net: Shortened, images: torch.Tensor, pairs: Pairs, *, epochs: int, seed: int, batch: int = 64) -> Shortened:
    """Squared errors of values, and GAIN times those of what a patch adds; a tenth of KL helps where outputs are flat."""
    torch.manual_seed(seed)
    steps = epochs * (len(pairs.image) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps + 1, pct_start=0.1)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(pairs.image))[: len(pairs.image) // batch * batch].split(batch):
            shown = images[pairs.image[rows]].repeat_interleave(2, 0)
            log_odds = net.log_odds(masked(shown, pairs.keep[rows].flatten(0, 1)))
            error = log_odds.softmax(dim=1).reshape(batch, 2, -1) - pairs.answers[rows]
            values, added = (error**2).sum(2).mean(), ((error[:, 1] - error[:, 0]) ** 2).sum(1).mean()
            answers = pairs.answers[rows].flatten(0, 1)
            far = functional.kl_div(log_odds.log_softmax(dim=1), answers, reduction="batchmean")
            optimizer.zero_grad(set_to_none=True)
            (values + GAIN * added + 0.1 * far).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def stand_in(
    whole: vit.Classifier,
    images: torch.Tensor,
    n_patches: int,
    *,
    blocks: tuple[int, ...],
    pairs: int,
    epochs: int,
    seed: int,
    kept: Path | None,
) -> Shortened:
    """The shortened network, taught or read back from `kept`."""
    net = Shortened(whole, blocks)
    name = f"fashion_vit_{n_patches}_blocks_{''.join(map(str, blocks))}_{pairs}_pairs_{epochs}_epochs_seed_{seed}.safetensors"
    path = None if kept is None else kept / name
    if path is not None and path.exists():
        net.load_state_dict(load_file(path))
        return net.eval()
    start = time.process_time()
    answered = asked(vit.Probabilities(whole).eval(), images, n_patches, pairs, seed)
    asking = time.process_time() - start
    taught(net, images, answered, epochs=epochs, seed=seed)
    print(
        f"{2 * pairs:,} evaluations {asking:.0f} s of CPU, {epochs} epochs {time.process_time() - start - asking:.0f} s"
    )
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({k: v.clone().contiguous() for k, v in net.state_dict().items()}, path)
    return net
