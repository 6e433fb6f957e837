"""Pre-training losses and adversarial perturbations: against loops written out, and by what each
must leave alone.
"""

from __future__ import annotations

import math
from itertools import pairwise

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from diffused_redundancy.nets.architectures import ARCHITECTURES, build
from diffused_redundancy.nets.losses import LOSSES, decov, head_of, make_loss, penultimate
from diffused_redundancy.nets.robustness import Threat, perturb, robust_top1
from diffused_redundancy.nets.training import top1
from diffused_redundancy.nets.upstream import to_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

CPU = torch.device("cpu")
THREATS = [Threat("l2", 0.5), Threat("l2", 3.0), Threat("linf", 0.0157), Threat("linf", 0.2)]
OPTIONS = {
    "adversarial": {"norm": "l2", "radius": 0.5},
    "dropout": {"rate": 0.5},
    "decov": {"weight": 0.1},
    "ff": {"k": 8},
    "mrl": {"nesting": [8, 16]},
}


def upstream_images(n: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bars at five offsets on noise, and which it is: classes a tiny network can tell apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 5
    images = rng.integers(0, 60, (n, 32, 32, 3))
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 1 : 6 * label + 5] += 180
    return images.astype(np.uint8), labels


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = upstream_images()
    return to_batch(images, CPU), torch.from_numpy(labels)


@pytest.fixture
def net() -> torch.nn.Module:
    return build("miniature_resnet", 5, 32, seed=1)


@pytest.fixture(scope="module")
def trained() -> torch.nn.Module:
    """A tiny network that tells the images apart, in evaluation mode."""
    net = build("miniature_resnet", 5, 32, seed=1)
    train(net, make_loss("standard"), 25)
    return net.eval()


def train(net: torch.nn.Module, loss: torch.nn.Module, steps: int) -> None:
    images, labels = upstream_images(40, seed=1)
    images, labels = to_batch(images, CPU), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW([*net.parameters(), *loss.parameters()], lr=3e-3)
    net.train()
    for _ in range(steps):
        value, _ = loss(net, images, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()


def plain_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    rows = logits.detach().double().tolist()
    return sum(
        math.log(sum(math.exp(x) for x in row)) - row[label]
        for row, label in zip(rows, labels.tolist(), strict=True)
    ) / len(rows)


def plain_decov(features: np.ndarray) -> float:
    n, d = features.shape
    means = [sum(features[i, j] for i in range(n)) / n for j in range(d)]
    covariance = [
        [
            sum((features[i, a] - means[a]) * (features[i, b] - means[b]) for i in range(n)) / n
            for b in range(d)
        ]
        for a in range(d)
    ]
    return sum(covariance[a][b] ** 2 for a in range(d) for b in range(d) if a != b) / 2


def logits_of(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(
        features.detach().double().numpy() @ weight.detach().double().numpy().T
        + bias.detach().double().numpy()
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_head_of_the_penultimate_features_is_the_network(name, batch):
    width = 64 if name == "miniature_vit" else 32
    net = build(name, 7, width, seed=3).eval()
    with torch.inference_mode():
        features = penultimate(net, batch[0])
        assert (
            features.shape == (12, width)
            and features.dtype == torch.float32
            and features.std(0).max() > 0
        )
        assert head_of(net).out_features == 7
        assert torch.allclose(head_of(net)(features), net(batch[0]), atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_gives_a_scalar_and_logits_and_reaches_the_network(name, net, batch):
    loss = make_loss(name, OPTIONS.get(name))
    loss.prepare(net)
    value, logits = loss(net, *batch, 0.0)
    value.backward()
    assert value.shape == () and value > 0 and logits.shape == (12, 5)
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for p in [*net.parameters(), *loss.parameters()]
    )
    assert net.conv1.weight.grad.abs().max() > 0


def test_the_standard_loss_is_the_mean_cross_entropy(net, batch):
    net.eval()
    value, logits = make_loss("standard")(net, *batch)
    assert torch.equal(logits, net(batch[0]))
    assert value.item() == pytest.approx(plain_cross_entropy(net(batch[0]), batch[1]), rel=1e-5)
    assert make_loss("standard").heads(net) == {}


def test_decov_is_the_sum_over_pairs_of_features():
    features = np.random.default_rng(0).standard_normal((9, 6)) @ np.random.default_rng(
        1
    ).standard_normal((6, 6))
    assert decov(torch.from_numpy(features)).item() == pytest.approx(
        plain_decov(features), rel=1e-12
    )
    shifted = torch.from_numpy(features + np.arange(6))
    assert decov(shifted).item() == pytest.approx(
        plain_decov(features), rel=1e-9
    )  # means do not matter
    assert decov(torch.from_numpy(2 * features)).item() == pytest.approx(16 * plain_decov(features))


def test_decov_of_uncorrelated_features_is_zero_and_of_copies_is_not():
    noise = np.random.default_rng(0).standard_normal((30, 5))
    uncorrelated, _ = np.linalg.qr(noise - noise.mean(0))
    assert decov(torch.from_numpy(uncorrelated)).item() == pytest.approx(0, abs=1e-15)
    copies = np.repeat(noise[:, :1], 4, axis=1)
    assert decov(torch.from_numpy(copies)).item() == pytest.approx(
        6 * noise[:, 0].var() ** 2
    )  # 6 pairs


def test_the_decov_loss_adds_the_weighted_penalty(net, batch):
    net.eval()
    value, logits = make_loss("decov", {"weight": 3.0})(net, *batch)
    features = penultimate(net, batch[0]).detach().double().numpy()
    assert torch.equal(logits, net(batch[0]))
    assert value.item() == pytest.approx(
        plain_cross_entropy(logits, batch[1]) + 3 * plain_decov(features), rel=1e-5
    )


def test_the_decov_penalty_is_taken_in_float32_under_autocast(net, batch):
    net.eval()
    plain, weighted = (make_loss("decov", {"weight": weight}) for weight in (0.0, 1e4))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        penalty = (weighted(net, *batch)[0] - plain(net, *batch)[0]).item() / 1e4
        features = penultimate(net, batch[0]).double().numpy()
    assert penalty == pytest.approx(
        plain_decov(features), rel=1e-4
    )  # bfloat16 would be off by 1e-2


@pytest.mark.parametrize("shared", [False, True])
def test_mrl_is_the_mean_cross_entropy_over_the_nesting(shared, net, batch):
    loss = make_loss(
        "mrl", {"shared": shared, "nesting": [4, 16, 32, 64]}
    )  # 64 is more than the network has
    loss.prepare(net)
    heads = loss.heads(net)
    assert list(heads) == [4, 16, 32]
    net.eval()
    features = penultimate(net, batch[0])
    by_hand = [plain_cross_entropy(logits_of(features[:, :k], *heads[k]), batch[1]) for k in heads]
    value, logits = loss(net, *batch)
    assert value.item() == pytest.approx(sum(by_hand) / 3, rel=1e-5)
    assert torch.allclose(logits, net(batch[0]), atol=1e-6)


def test_the_heads_of_mrl_are_its_own_and_those_of_mrl_e_slices_of_one(net):
    own, shared = (
        make_loss("mrl", {"nesting": [8, 16, 32]}),
        make_loss("mrl", {"shared": True, "nesting": [8, 16, 32]}),
    )
    for loss in (own, shared):
        loss.prepare(net)
    assert sum(p.numel() for p in own.parameters()) == 5 * (8 + 16) + 2 * 5 and not list(
        shared.parameters()
    )
    for k, (weight, bias) in shared.heads(net).items():
        assert (
            torch.equal(weight, net.fc.weight[:, :k])
            and weight.data_ptr() == net.fc.weight.data_ptr()
            and bias is net.fc.bias
        )
    for k in (8, 16):
        weight, _ = own.heads(net)[k]
        assert (
            weight.shape == (5, k)
            and weight.data_ptr() != net.fc.weight.data_ptr()
            and weight.is_leaf
        )
    assert own.heads(net)[32][0].data_ptr() == net.fc.weight.data_ptr()


def test_the_nesting_of_mrl_by_default(batch):
    for width, expected in ((32, [8, 16, 32]), (96, [8, 16, 32, 64, 96])):
        net = build("miniature_plain_resnet", 5, width, seed=0)
        loss = make_loss("mrl")
        loss.prepare(net)
        assert list(loss.heads(net)) == expected


@pytest.mark.parametrize("shared", [False, True])
def test_training_moves_every_head_of_mrl(shared, net, batch):
    loss = make_loss("mrl", {"shared": shared, "nesting": [8, 16]})
    loss.prepare(net)
    before = {k: (weight.clone(), bias.clone()) for k, (weight, bias) in loss.heads(net).items()}
    train(net, loss, 2)
    for k, (weight, bias) in loss.heads(net).items():
        assert (weight != before[k][0]).any(1).all() and (bias != before[k][1]).all()
    assert all(p.grad.abs().max() > 0 for p in loss.parameters())


def test_leading_features_count_more_in_mrl(net, batch):
    """The gradient at each feature is that of the heads that see it; the last ones have one head
    only.
    """
    loss = make_loss("mrl", {"shared": True, "nesting": [8, 16]})
    loss.prepare(net)
    features = penultimate(net.eval(), batch[0]).detach()
    gradients = []
    for k in (8, 16, 32):
        part = features.clone().requires_grad_(True)
        cross_entropy(part[:, :k] @ net.fc.weight[:, :k].T + net.fc.bias, batch[1]).backward()
        gradients.append(part.grad)
    whole = features.clone().requires_grad_(True)
    loss.of_features(net, whole, batch[1])[0].backward()
    assert torch.allclose(whole.grad, sum(gradients) / 3, atol=1e-7)
    assert (gradients[0][:, 8:] == 0).all() and (gradients[1][:, 16:] == 0).all()


def test_fixed_features_see_the_first_k_only(net, batch):
    before = net.fc.weight.detach().clone()
    loss = make_loss("ff", {"k": 8})
    loss.prepare(net)
    assert (
        torch.equal(net.fc.weight[:, :8], before[:, :8])
        and (net.fc.weight[:, 8:] == 0).all()
        and (before[:, 8:] != 0).any()
    )
    value, logits = loss(net, *batch)
    value.backward()
    assert (net.fc.weight.grad[:, 8:] == 0).all() and (net.fc.weight.grad[:, :8] != 0).any()
    assert value.item() == pytest.approx(plain_cross_entropy(logits, batch[1]), rel=1e-5)
    train(net, loss, 3)
    assert (net.fc.weight[:, 8:] == 0).all() and (net.fc.weight[:, :8] != before[:, :8]).any()
    net.eval()
    features = penultimate(net, batch[0])
    (k, head), *rest = loss.heads(net).items()
    assert k == 8 and not rest
    by_hand = logits_of(features[:, :8], *head).float()
    assert torch.allclose(loss(net, *batch)[1], by_hand, atol=1e-5) and torch.allclose(
        net(batch[0]), by_hand, atol=1e-5
    )


def test_dropout_at_rate_zero_or_in_evaluation_is_the_standard_loss(net, batch):
    net.eval()
    features = penultimate(net, batch[0]).detach()
    expected, logits = make_loss("standard")(net, *batch)
    for rate, mode in ((0.0, True), (0.0, False), (0.9, False)):
        net.train(mode)
        value, dropped = make_loss("dropout", {"rate": rate}).of_features(net, features, batch[1])
        assert torch.equal(value, expected) and torch.equal(dropped, logits)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_dropout_zeroes_its_share_and_keeps_the_expectation(rate, net):
    """Seen through a head that passes features on: logits are the features themselves."""
    net.fc = torch.nn.Linear(32, 32)
    with torch.no_grad():
        net.fc.weight.copy_(torch.eye(32))
        net.fc.bias.zero_()
    features = torch.full((4_000, 32), 2.0)
    net.train()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        _, logits = make_loss("dropout", {"rate": rate}).of_features(
            net, features, torch.zeros(4_000, dtype=torch.long)
        )
    zero = logits == 0
    assert zero.float().mean().item() == pytest.approx(
        rate, abs=4 * math.sqrt(rate * (1 - rate) / zero.numel())
    )
    assert torch.allclose(logits[~zero], torch.tensor(2 / (1 - rate)))
    assert logits.mean().item() == pytest.approx(2, rel=0.02)
    by_feature, by_image = zero.float().mean(0), zero.float().mean(1)
    assert (
        by_feature.std() < 0.02 and 0.02 < by_image.std() < 0.12
    )  # features of one image are dropped independently


def test_the_radius_grows_after_a_clean_start():
    loss = make_loss("adversarial", {"norm": "l2", "radius": 2.0})
    radii = [loss.radius(done) for done in (0, 0.1, 0.25, 0.25 + 0.375 / 4, 0.4375, 0.625, 0.9, 1)]
    assert radii == pytest.approx([0, 0, 0, 0.5, 1, 2, 2, 2])
    other = make_loss("adversarial", {"norm": "l2", "radius": 2.0, "clean": 0, "ramp": 0.5})
    assert [other.radius(done) for done in (0, 0.25, 0.5, 1)] == pytest.approx([0, 1, 2, 2])


def test_a_radius_without_a_ramp_is_whole_at_once():
    loss = make_loss("adversarial", {"norm": "l2", "radius": 0.5, "clean": 0.25, "ramp": 0})
    assert [loss.radius(done) for done in (0, 0.2, 0.25, 1)] == [0, 0, 0.5, 0.5]


def test_adversarial_training_starts_clean_and_then_attacks(net, batch):
    loss = make_loss("adversarial", {"norm": "linf", "radius": 0.03})
    net.eval()
    standard, _ = make_loss("standard")(net, *batch)
    assert loss.input(net, *batch, 0.2) is batch[0]
    assert torch.equal(loss(net, *batch, 0.2)[0], standard)
    for done, radius in ((0.4375, 0.015), (1.0, 0.03)):
        changed = loss.input(net, *batch, done) - batch[0]
        assert (
            radius * 0.99 < changed.abs().max().item() * 0.25 < radius * (1 + 1e-5)
        )  # a pixel is a quarter of its normalised value
    assert loss(net, *batch, 1.0)[0] > standard


def sizes(delta: torch.Tensor, norm: str) -> list[float]:
    rows = delta.double().reshape(len(delta), -1).tolist()
    return [
        math.sqrt(sum(x * x for x in row)) if norm == "l2" else max(map(abs, row)) for row in rows
    ]


deltas = st.lists(
    st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6), min_size=1, max_size=4
)


@settings(deadline=None)
@given(deltas, st.sampled_from(THREATS), st.integers(0, 2**31))
def test_projection_gives_the_nearest_point_within_the_radius(rows, threat, seed):
    delta = torch.tensor(rows, dtype=torch.float64).reshape(-1, 1, 2, 3)
    projected = threat.project(delta)
    assert max(sizes(projected, threat.norm)) <= threat.radius * (1 + 1e-9)
    for one, size, before in zip(projected, sizes(delta, threat.norm), delta, strict=True):
        if size <= threat.radius:
            assert torch.allclose(one, before, atol=1e-12, rtol=0)
    # Convex: a point is the nearest one if and only if no other point of the ball lies beyond it,
    # seen from outside.
    rng = np.random.default_rng(seed)
    others = (
        rng.standard_normal((200, 6)) if threat.norm == "l2" else rng.choice([-1.0, 1.0], (200, 6))
    )
    others *= threat.radius / np.array(sizes(torch.from_numpy(others), threat.norm))[:, None]
    for one, before in zip(
        projected.reshape(-1, 6).numpy(), delta.reshape(-1, 6).numpy(), strict=True
    ):
        assert np.linalg.norm(before - one) <= np.linalg.norm(before - others, axis=1).min() + 1e-9
        assert ((others - one) @ (before - one) <= 1e-7).all()


@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_steepest_direction_is_of_unit_size_and_beats_all_others(threat):
    gradient = torch.randn(
        3, 1, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    direction = threat.steepest(gradient)
    assert sizes(direction, threat.norm) == pytest.approx([1] * 3)
    others = np.random.default_rng(0).standard_normal((500, 6))
    others /= np.array(sizes(torch.from_numpy(others), threat.norm))[:, None]
    for one, slope in zip(
        direction.reshape(3, 6).numpy(), gradient.reshape(3, 6).numpy(), strict=True
    ):
        assert one @ slope >= (others @ slope).max()


@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_random_starts_lie_within_the_radius_and_fill_it(threat):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lengths = (
            np.array(sizes(threat.start(torch.zeros(400, 3, 2, 2)), threat.norm)) / threat.radius
        )
    assert lengths.max() <= 1 + 1e-6 and lengths.max() > 0.98
    assert lengths.min() < (0.05 if threat.norm == "l2" else 0.9)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_perturbed_images_stay_images_within_the_radius(threat, training, trained, batch):
    images, labels = batch
    trained.train(training)
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    trained.zero_grad(set_to_none=True)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            attacked = perturb(trained, images, labels, threat, 3)
        assert trained.training is training and all(
            module.training is training for module in trained.modules()
        )
    finally:
        trained.eval()
    assert all(p.grad is None for p in trained.parameters()) and not attacked.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in trained.state_dict().items())
    pixels, before = attacked * 0.25 + 0.5, images * 0.25 + 0.5
    assert pixels.min() >= -1e-6 and pixels.max() <= 1 + 1e-6
    lengths = sizes(pixels - before, threat.norm)
    assert max(lengths) <= threat.radius * (1 + 1e-5) + 1e-7 and min(lengths) > 0.5 * threat.radius
    with torch.inference_mode():
        clean, raised = (cross_entropy(trained(x), labels).item() for x in (images, attacked))
        noise = threat.project(
            torch.randn(images.shape, generator=torch.Generator().manual_seed(0)) * 10
        )
        noisy = cross_entropy(trained((before + noise).clamp(0, 1) * 4 - 2), labels).item()
    assert raised > clean and raised > noisy


def test_parts_in_another_mode_are_left_in_it(trained, batch):
    part = next(module for module in trained.modules() if isinstance(module, torch.nn.BatchNorm2d))
    try:
        trained.train()
        part.eval()
        perturb(trained, *batch, THREATS[0], 1)
        assert not part.training and all(
            module.training for module in trained.modules() if module is not part
        )
    finally:
        trained.eval()


def test_an_attack_on_a_linear_network_is_the_worst_there_is():
    """Logits (w x, 0): the worst perturbation within the radius is known."""
    weight = torch.randn(3 * 32 * 32, generator=torch.Generator().manual_seed(0))

    class Linear(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            score = x.reshape(len(x), -1) @ weight
            return torch.stack([score, torch.zeros_like(score)], 1)

    grey = torch.zeros(2, 3, 32, 32)  # far from the bounds of a pixel
    labels = torch.tensor([0, 1])
    bounds = {
        Threat("l2", 0.1): 0.1 * weight.norm(),
        Threat("linf", 0.001): 0.001 * weight.abs().sum(),
    }
    for threat, bound in bounds.items():
        score = Linear()(perturb(Linear(), grey, labels, threat, 10))[:, 0]
        shares = score / (
            torch.tensor([-4, 4]) * bound
        )  # a pixel counts four times when normalised
        assert shares.max() <= 1 + 1e-5 and shares.min() > (0.97 if threat.norm == "l2" else 0.9999)


def test_robust_accuracy_is_at_most_the_clean_one_and_falls_with_the_radius(trained):
    images, labels = upstream_images(60, seed=2)
    clean = top1(trained, images, labels, CPU)
    accuracies = [
        robust_top1(trained, images, labels, Threat("l2", radius), CPU, steps=4)
        for radius in (1e-6, 0.5, 2, 8)
    ]
    assert clean >= 0.9 and accuracies[0] == clean
    assert all(a >= b for a, b in pairwise(accuracies)) and accuracies[-1] < 0.3


def test_robust_accuracy_is_the_same_for_the_same_seed_and_leaves_the_global_generator_alone(
    trained,
):
    images, labels = upstream_images(20, seed=3)
    threat = Threat("linf", 0.05)
    torch.manual_seed(0)
    expected = torch.rand(3)
    starts = []
    original = Threat.start

    def noted(self, like):
        starts.append(original(self, like))
        return starts[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Threat, "start", noted)
        torch.manual_seed(0)
        accuracies = [
            robust_top1(trained, images, labels, threat, CPU, steps=2, seed=seed)
            for seed in (4, 4, 5)
        ]
        assert torch.equal(torch.rand(3), expected)
    assert accuracies[0] == accuracies[1]
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("standart", {}, "unknown loss 'standart': did you mean 'standard'?"),
        (
            "adversarial",
            {"norm": "l_inf", "radius": 0.1},
            "unknown norm 'l_inf': did you mean 'linf'? Allowed: l2, linf",
        ),
        (
            "adversarial",
            {"norm": "l2", "radius": 0},
            "radius of the perturbation is 0: it must be above 0",
        ),
        (
            "adversarial",
            {"norm": "l2", "radius": float("nan")},
            "radius of the perturbation is nan",
        ),
        (
            "adversarial",
            {"norm": "l2", "radius": 1.0, "steps": 0},
            "steps of the descent is 0: it must be at least 1 (nearest: 1)",
        ),
        (
            "adversarial",
            {"norm": "l2", "radius": 1.0, "clean": 1.5},
            "clean share is 1.5: it must be at least 0 and at most 1 (nearest: 1)",
        ),
        (
            "adversarial",
            {"norm": "l2"},
            "the loss adversarial needs its option 'radius'; given: norm",
        ),
        ("dropout", {"rate": 1.0}, "rate of dropout is 1: it must be at least 0 and below 1"),
        (
            "dropout",
            {"rate": -0.1},
            "rate of dropout is -0.1: it must be at least 0 and below 1 (nearest: 0)",
        ),
        ("dropout", {"rat": 0.1}, "unknown option of the loss dropout 'rat': did you mean 'rate'?"),
        ("standard", {"rate": 0.1}, "the loss standard has no options: 'rate' was given"),
        ("decov", {"weight": -1}, "weight of DeCov is -1: it must be at least 0 (nearest: 0)"),
        (
            "decov",
            {"weight": float("nan")},
            "weight of DeCov is nan: it must be a number at least 0",
        ),
        ("decov", {"weight": float("inf")}, "weight of DeCov is inf: it must be at least 0"),
        (
            "mrl",
            {"nesting": [0, 8]},
            "size of the nesting is 0: it must be at least 1 (nearest: 1)",
        ),
        (
            "mrl",
            {"nesting": [16, 8]},
            "the nesting is [16, 8]: its sizes must ascend (nearest: [8, 16])",
        ),
        ("ff", {"k": 0}, "k of fixed features is 0: it must be at least 1 (nearest: 1)"),
        ("ff", {"k": 8.5}, "k of fixed features is 8.5: it must be a whole number, at least 1"),
        ("ff", {"k": 33}, "k of fixed features is 33: it must be 1 to 32 (nearest: 32)"),
    ],
)
def test_what_no_loss_can_be_made_with(name, options, words, net):
    with pytest.raises(dr.InputError) as caught:
        make_loss(name, options).prepare(net)
    assert words in str(caught.value)
