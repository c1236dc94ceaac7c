"""Every kind of attribution net learns on inputs of its shape, and sees what its head should see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fastsa
from fastsa import estimators, games
from fastsa.amortize import AttributionNet

rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(160, 2, 8, 8)).astype(np.float32)
TOKENS = rng.integers(0, 12, size=(160, 6))
STEPS = rng.normal(size=(160, 6, 2)).astype(np.float32)
FEATURES = rng.normal(size=(160, 5, 2)).astype(np.float32)
EDGES = np.triu(rng.random((160, 5, 5)) < 0.5, 1).astype(np.float32)
EDGES += EDGES.transpose(0, 2, 1)
WORTH = rng.normal(size=12)


def patch_means(images):
    return images.reshape(-1, 2, 2, 4, 2, 4).mean(axis=(3, 5))


def of_images(images):
    means = patch_means(images)
    return 4.0 * means[:, 0].sum(axis=(1, 2)) + 8.0 * means[:, 0, 0, 0] * means[:, 1, 0, 1]


def of_tokens(tokens, mask):
    return (WORTH[tokens] * mask).sum(axis=1)


def of_steps(steps):
    return np.tanh(steps[..., 0]).sum(axis=1) + (steps[:, 1:, 1] * steps[:, :-1, 1]).sum(axis=1)


def of_graphs(features, edges):
    return features[..., 0].sum(axis=1) + (edges * features[:, :, None, 1] * features[:, None, :, 1]).sum(axis=(1, 2))


CASES = {
    "conv": ("conv", of_images, IMAGES, games.Patches((2, 2))),
    "patches as tokens": ("tokens", of_images, IMAGES, games.Patches((2, 2))),
    "tokens": ("tokens", of_tokens, TOKENS, games.Tokens()),
    "steps": ("steps", of_steps, STEPS, games.Groups(np.repeat(np.arange(6), 2).reshape(6, 2))),
    "steps as tokens": ("tokens", of_steps, STEPS, games.Groups(np.repeat(np.arange(6), 2).reshape(6, 2))),
    "nodes": ("nodes", of_graphs, (FEATURES, EDGES), games.Nodes()),
    "entries of a sequence": ("mlp", lambda x: x.sum(axis=(1, 2)), STEPS, games.Baseline()),
}


def labels_of(game, samples=4, role="train"):
    estimator = estimators.PermutationShapley(antithetic=True)
    return fastsa.LabelStream(game, estimator, samples=samples, role=role, n_threads=1).collect()


def error(estimate, truth):
    return float(np.mean(np.sum((estimate - truth) ** 2, axis=1)))


@pytest.mark.parametrize("case", CASES)
def test_each_kind_beats_the_constant_and_is_saved_whole(case, tmp_path):
    kind, model, X, masker = CASES[case]
    game = games.ModelGame(model, X, masker)
    labels = labels_of(game)
    net = AttributionNet(kind, width=24, depth=1, epochs=20, learning_rate=3e-3, batch_size=32).fit(X, labels)
    values = net.predict(X)
    constant = np.broadcast_to(labels.mean.mean(axis=0), labels.mean.shape)
    assert error(values, labels.mean) < 0.5 * error(constant, labels.mean)
    net.save(tmp_path / "net")
    np.testing.assert_array_equal(AttributionNet.load(tmp_path / "net").predict(X), values)


@pytest.mark.parametrize("case", CASES)
def test_each_kind_learns_direction_and_norm(case):
    kind, model, X, masker = CASES[case]
    labels = labels_of(games.ModelGame(model, X, masker))
    net = AttributionNet(kind, scale="unit", width=16, depth=1, epochs=8, learning_rate=3e-3, batch_size=32).fit(
        X, labels
    )
    values = net.predict(X)
    assert values.shape == labels.mean.shape
    assert error(values, labels.mean) < 0.9 * error(np.zeros_like(values), labels.mean)


@pytest.mark.parametrize(
    ("case", "kind"),
    [("conv", "conv"), ("tokens", "tokens"), ("steps", "steps"), ("nodes", "nodes"), ("entries of a sequence", "mlp")],
)
def test_auto_takes_the_kind_that_the_inputs_have(case, kind):
    _, model, X, masker = CASES[case]
    net = AttributionNet(epochs=0, width=8).fit(X, labels_of(games.ModelGame(model, X, masker), 1))
    assert net.kind_ == kind


def test_without_an_epoch_the_mean_label_of_each_player_is_predicted():
    _, model, X, masker = CASES["steps"]
    labels = labels_of(games.ModelGame(model, X, masker), 1)
    for kind in ("steps", "tokens", "mlp"):
        values = AttributionNet(kind, epochs=0, width=8).fit(X, labels).predict(X)
        np.testing.assert_allclose(values, np.broadcast_to(labels.mean.mean(axis=0), values.shape), atol=1e-6)


def test_nodes_renumbered_have_their_attributions_renumbered():
    _, model, X, masker = CASES["nodes"]
    net = AttributionNet("nodes", epochs=2, width=16, depth=1).fit(X, labels_of(games.ModelGame(model, X, masker)))
    order = np.array([3, 1, 4, 0, 2])
    renumbered = net.predict((FEATURES[:, order], EDGES[:, order][:, :, order]))
    centre = net.readout_.unit * net.readout_.center.numpy()
    np.testing.assert_allclose(renumbered - centre, (net.predict(X) - centre)[:, order], atol=1e-4)


def test_tokens_that_training_did_not_see_are_explained_alike():
    _, model, X, masker = CASES["tokens"]
    net = AttributionNet(epochs=2, width=16).fit(X, labels_of(games.ModelGame(model, X, masker)))
    np.testing.assert_array_equal(net.predict(np.full((1, 6), 50)), net.predict(np.full((1, 6), 99)))


class Backbone(torch.nn.Module):
    """Patch features, behind a class token where asked for."""

    def __init__(self, with_class: bool) -> None:
        super().__init__()
        self.patch = torch.nn.Conv2d(2, 12, 4, stride=4)
        self.with_class = with_class

    def forward(self, images):
        features = self.patch(images).flatten(2).transpose(1, 2)
        return torch.cat([features.mean(dim=1, keepdim=True), features], dim=1) if self.with_class else features


@pytest.mark.parametrize("with_class", [False, True])
def test_a_backbone_is_fine_tuned_in_a_copy_and_its_class_token_dropped(with_class, tmp_path):
    _, model, X, masker = CASES["conv"]
    torch.manual_seed(0)
    backbone = Backbone(with_class)
    before = backbone.patch.weight.detach().clone()
    labels = labels_of(games.ModelGame(model, X, masker))
    net = AttributionNet(
        backbone=backbone, epochs=20, learning_rate=3e-3, decay="linear", weight_decay=0.01, n_threads=1
    )
    values = net.fit(X, labels).predict(X)
    constant = np.broadcast_to(labels.mean.mean(axis=0), labels.mean.shape)
    assert error(values, labels.mean) < 0.6 * error(constant, labels.mean)
    assert torch.equal(backbone.patch.weight, before) and not torch.equal(
        net.module_.body.backbone.patch.weight, before
    )
    net.save(tmp_path / "net")
    np.testing.assert_array_equal(AttributionNet.load(tmp_path / "net", backbone=backbone).predict(X), values)


def test_a_backbone_without_a_token_per_player_is_refused():
    _, model, X, _ = CASES["conv"]
    labels = labels_of(games.ModelGame(model, X, games.Patches((4, 4))), 1)
    with pytest.raises(ValueError, match=r"expected \[rows, 16 or 17, width\]"):
        AttributionNet(backbone=Backbone(False)).fit(X, labels)


def test_the_last_layer_of_an_attention_block_is_attention_over_all_tokens():
    """What one token holds reaches every other, and tokens exchanged come out exchanged."""
    from fastsa.amortize.attribution.kinds.attention import AttentionBlock

    torch.manual_seed(1)
    block, tokens = AttentionBlock(12), torch.randn(2, 5, 12)
    with torch.no_grad():
        out = block(tokens)
        order = torch.tensor([2, 0, 1, 4, 3])
        torch.testing.assert_close(block(tokens[:, order]), out[:, order])
        tokens[:, 4, 0] += 3.0
        assert ((block(tokens) - out).abs().amax(dim=2) > 1e-6).all()
