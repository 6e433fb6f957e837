"""The zoo: recipes that fit together, networks as wide as they say, every loss trained and resumed,
layers shared in one pass.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from itertools import combinations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from diffused_redundancy.nets import checkpoints, extraction, preprocess, training, upstream
from diffused_redundancy.nets.architectures import ARCHITECTURES, build
from diffused_redundancy.nets.losses import LOSSES, make_loss, penultimate
from diffused_redundancy.nets.names import expanded
from diffused_redundancy.nets.training import pretrain
from diffused_redundancy.nets.zoo import NESTING, OF_TASKS, STEPS, ZOO, Recipe, trained_on
from diffused_redundancy.store import sha256_of
from diffused_redundancy.tasks.splits import ArrayImages, Split
from torch import nn

NAME = "miniature_resnet.standard_s1"
SHAPES = sorted(
    {(one.architecture, one.features) for one in ZOO.values()}
    | {(name, 64) for name in ARCHITECTURES}
)
STAGES = {
    "miniature_resnet": ["layer1", "layer2", "layer3", "layer4"],
    "miniature_plain_resnet": ["layer1", "layer2", "layer3", "layer4"],
    "miniature_vgg": ["stages.0", "stages.1", "stages.2", "stages.3"],
    "miniature_vit": ["blocks.0", "blocks.1", "blocks.2", "blocks.3"],
}
LEARNED = {
    "standard": {},
    "adversarial": {"norm": "linf", "radius": 0.0157},
    "dropout": {"rate": 0.5},
    "decov": {"weight": 1e-3},
    "mrl": {"nesting": [8, 16]},
    "ff": {"k": 8},
}


# Recipes


@pytest.mark.parametrize("name", ZOO)
def test_every_recipe_can_be_made(name):
    one = ZOO[name]
    assert one.architecture in ARCHITECTURES and one.loss in LOSSES
    assert one.upstream in (*upstream.WORLDS, *upstream.TASKS)
    stand_in = nn.Module()
    head = nn.Linear(one.features, 10)
    stand_in.get_classifier = lambda: head
    loss = make_loss(one.loss, one.loss_options)
    loss.prepare(stand_in)
    sizes = {"mrl": [*NESTING[:-1], one.features], "ff": [one.loss_options.get("k")]}
    assert list(loss.heads(stand_in)) == sizes.get(one.loss, [])
    assert json.loads(json.dumps(one.as_dict())) == one.as_dict() and Recipe(**one.as_dict()) == one


@pytest.mark.parametrize("name", ZOO)
def test_names_say_architecture_width_and_seed(name):
    one = ZOO[name]
    family, what, seed = re.fullmatch(r"(\w+)\.(\S+)_s(\d+)", name).groups()
    assert int(seed) == one.seed and family in (
        one.architecture,
        f"{one.architecture}_{one.features}",
    )
    of_task = f"from_scratch_{one.upstream}"
    assert what.startswith(one.loss) or what in ("tenth", "extended", of_task)
    first = ZOO[f"{family}.{what}_s1"]
    assert replace(one, seed=1) == first


def test_no_two_recipes_are_the_same():
    assert all(a != b for a, b in combinations(ZOO.values(), 2))


def test_labels_are_equal_exactly_where_loss_and_upstream_set_are():
    for a, b in combinations(ZOO.values(), 2):
        assert (a.loss_label == b.loss_label) is (
            (a.loss, a.loss_options) == (b.loss, b.loss_options)
        )
        assert (a.upstream_label == b.upstream_label) is (
            (a.upstream, a.images) == (b.upstream, b.images)
        )
        if (a.loss_label, a.upstream_label) == (b.loss_label, b.upstream_label):
            # they differ in no more than network, seed and what the architecture needs
            allowed = ["architecture", "features", "seed"]
            if a.architecture != b.architecture:
                allowed += ["learning_rate", "epochs", "batch"]
            assert replace(a, **{name: getattr(b, name) for name in allowed}) == b


def test_labels_in_words():
    labels = {one.loss_label for one in ZOO.values()}
    assert {
        "standard",
        "adversarial L2 0.25",
        "adversarial Linf 0.0157",
        "dropout 0.5",
        "DeCov 0.001",
        "MRL",
        "MRL-E",
        "FF 8",
    } <= labels
    assert {one.upstream_label for one in ZOO.values()} == {
        "40,000 letters",
        "4,000 letters",
        "120,000 letters of more kinds",
        "1,297 handwritten digits",
        "3,000 Armenian letters",
        "2,640 Georgian letters",
        "2,400 letters, by font",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_TASKS)
def test_a_network_from_scratch_sees_the_train_part_of_its_task_and_never_the_test_part(name):
    (trained,) = trained_on(name)
    one, parts = ZOO[trained], dr.task(name).splits
    assert trained == f"miniature_resnet.from_scratch_{name}_s1"
    assert replace(one, upstream="letters", images=40_000, held_out=10_000, epochs=6) == ZOO[NAME]
    for held_out, part, count in (
        (False, parts["train"], one.images),
        (True, parts["test"], one.held_out),
    ):
        images, labels = upstream.upstream(count, world=name, held_out=held_out)
        assert images.dtype == np.uint8 and images.shape == (len(part), 32, 32, 3)
        assert np.array_equal(images, np.stack(part.images.batch(0, len(part))))
        assert np.array_equal(labels, part.labels)
        with pytest.raises(dr.InputError, match=rf"{name} has {count:,} .* not {count + 1:,}"):
            upstream.upstream(count + 1, world=name, held_out=held_out)
    assert upstream.classes(name) == list(dr.task(name).classes)
    some, _ = upstream.upstream(100, world=name)
    assert np.array_equal(
        some, np.stack(dr.task(name, images=100).splits["train"].images.batch(0, 100))
    )


def test_networks_from_scratch_are_no_part_of_what_notebooks_compare():
    """Which networks their patterns stand for was settled before there were any from scratch."""
    from diffused_redundancy import parameters

    for notebook in parameters.available():
        nets = parameters.declared(notebook).get("NETS")
        if nets is not None:
            assert not any("from_scratch" in name for name in expanded(nets.default)), notebook


def test_an_unknown_upstream_set():
    with pytest.raises(dr.InputError, match="unknown upstream set 'digit': did you mean 'digits'"):
        upstream.classes("digit")


@pytest.mark.parametrize("name", [name for name in ZOO if not name.startswith("miniature_vit")])
def test_every_network_but_the_transformer_takes_as_many_steps(name):
    one, first = ZOO[name], ZOO[NAME]
    assert one.batch == first.batch
    assert first.images // first.batch * first.epochs == STEPS
    assert one.images // one.batch * one.epochs == pytest.approx(STEPS, rel=0.02)


def test_patterns_stand_for_the_networks_they_match():
    assert expanded(["miniature_resnet.standard_s?", NAME, "resnet18.tv_in1k@/a/[b]*.pt"]) == [
        *(f"miniature_resnet.standard_s{seed}" for seed in range(1, 6)),
        "resnet18.tv_in1k@/a/[b]*.pt",
    ]
    assert expanded(["*"]) == list(ZOO) and expanded([]) == []
    assert expanded(["miniature_resnet.ff_*"]) == [
        f"miniature_resnet.ff_{k}_s1" for k in NESTING[:-1]
    ]
    with pytest.raises(dr.InputError, match=r"no network matches 'resnet_\*'"):
        expanded(["resnet_*"])


# Architectures


@pytest.mark.parametrize("architecture, width", SHAPES)
def test_networks_and_their_stages_are_as_wide_as_they_say(architecture, width):
    net = build(architecture, 7, width, seed=1).eval()
    stages = {one["module"]: one["num_chs"] for one in net.feature_info if one["module"] != "act1"}
    assert list(stages) == STAGES[architecture]
    batch = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        by_layer = extraction.forward(net, batch, ["penultimate", *stages])
        assert {name: by_layer[name].shape[1] for name in stages} == stages
        assert by_layer["penultimate"].shape == (2, width) and net.head_hidden_size == width
        assert net.get_classifier().in_features == width and net.get_classifier().out_features == 7
        assert (
            net.forward_features(batch).shape[-1 if architecture == "miniature_vit" else 1]
            == net.num_features
        )
        assert net(batch).shape == (2, 7) and not torch.allclose(*net(batch))


@pytest.mark.parametrize(
    "architecture, width", [shape for shape in SHAPES if shape[0] != "miniature_vit"]
)
def test_stages_are_as_coarse_as_they_say(architecture, width):
    net = build(architecture, 7, width, seed=1).eval()
    sides = {}
    for one in net.feature_info:
        net.get_submodule(one["module"]).register_forward_hook(
            lambda _module, _inputs, out, name=one["module"]: sides.update({name: out.shape[-1]})
        )
    with torch.inference_mode():
        net(torch.zeros(1, 3, 32, 32))
    assert sides == {one["module"]: 32 // one["reduction"] for one in net.feature_info}


def test_width_changes_the_last_stage_of_the_resnet_only():
    narrow, wide = (
        {n: p.shape for n, p in build("miniature_resnet", 7, width, seed=1).named_parameters()}
        for width in (128, 1024)
    )
    assert narrow.keys() == wide.keys()
    assert {name.split(".")[0] for name in narrow if narrow[name] != wide[name]} == {"layer4", "fc"}
    assert narrow["layer4.0.conv2.weight"] == wide["layer4.0.conv2.weight"] == (96, 96, 3, 3)


@pytest.mark.parametrize(
    "architecture, width",
    [
        (one, width)
        for one in ("miniature_resnet", "miniature_plain_resnet", "miniature_vit")
        for width in (-7, 0, 1, 33, 100, 500)
    ]
    + [
        ("miniature_resnet", 1000),
        ("miniature_resnet", 6200),
        ("miniature_plain_resnet", 49),
        ("miniature_vgg", 0),
        ("miniature_vgg", -7),
    ],
)
def test_the_nearest_width_is_told(architecture, width):
    with pytest.raises(
        dr.InputError, match=rf"{architecture} takes .* not {width} \(nearest: \d+\)"
    ) as caught:
        build(architecture, 5, width, seed=0)
    nearest = int(re.search(r"nearest: (\d+)", str(caught.value)).group(1))
    assert build(architecture, 5, nearest, seed=0).head_hidden_size == nearest
    gap = abs(nearest - width)
    for nearer in range(width - gap + 1, width + gap):
        with pytest.raises(dr.InputError, match="nearest"):
            build(architecture, 5, nearer, seed=0)


def test_an_unknown_architecture():
    with pytest.raises(
        dr.InputError, match="unknown architecture 'miniature_vgc': did you mean 'miniature_vgg'"
    ):
        build("miniature_vgc", 5, 32, seed=0)


# Training


@pytest.fixture
def tiny(monkeypatch):
    """Puts a tiny recipe into the zoo: five letters, so that even a few steps are not all in
    vain.
    """
    monkeypatch.setitem(upstream.WORLDS, "five", list("AXOHI"))
    monkeypatch.setattr(training, "CHECKED", 20)

    def put(**how):
        one = Recipe(
            **{
                "features": 32,
                "images": 320,
                "held_out": 100,
                "epochs": 1,
                "batch": 32,
                "upstream": "five",
            }
            | how
        )
        monkeypatch.setitem(ZOO, "tiny", one)

    return put


@pytest.mark.slow
def test_training_on_a_task_is_noted_as_such(tiny, tmp_path):
    tiny(upstream="digits", images=320, held_out=100)
    about = json.loads(pretrain("tiny", tmp_path, device="cpu").with_suffix(".json").read_text())
    assert about["classes"] == 10 and about["top1_of"] == "100 test images of the task, 10 classes"
    assert about["robust_top1_of"].startswith("20 test images of the task, PGD")
    tiny(upstream="digits", images=1_298)
    with pytest.raises(dr.InputError, match="digits has 1,297 train images, not 1,298"):
        pretrain("tiny", tmp_path, device="cpu")


def share_right(logits: torch.Tensor, labels: np.ndarray) -> float:
    return float(
        np.mean(
            [
                max(range(5), key=row.__getitem__) == label
                for row, label in zip(logits.tolist(), labels, strict=True)
            ]
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss, options", [*LEARNED.items(), ("mrl", {"nesting": [8, 16], "shared": True})]
)
def test_every_loss_is_trained_and_its_manifest_tells_the_truth(
    loss, options, tiny, tmp_path, monkeypatch
):
    tiny(loss=loss, loss_options=options)
    measured: list[torch.Tensor] = []
    original = training.features_per_second
    monkeypatch.setattr(
        training,
        "features_per_second",
        lambda net, *rest: measured.extend(net.state_dict().values()) or original(net, *rest),
    )
    path = pretrain("tiny", tmp_path, device="cpu")
    about = json.loads(path.with_suffix(".json").read_text())
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "tiny.csv",
        "tiny.json",
        "tiny.safetensors",
    ]
    assert (
        about["sha256"] == sha256_of(path)
        and about["recipe"]["loss"] == loss
        and about["recipe"]["loss_options"] == options
    )
    assert (
        about["is_the_zoo_recipe"] is True
        and about["classes"] == 5
        and about["features_per_second"] > 0
    )

    monkeypatch.setattr(checkpoints, "folder", lambda: tmp_path)
    network = dr.net("tiny")
    assert all(
        torch.equal(p, q)
        for p, q in zip(measured, network.module.state_dict().values(), strict=True)
    )  # measured is what ships
    fresh = build("miniature_resnet", 5, 32, seed=1)
    assert any(
        not torch.allclose(p, q, atol=1e-2)
        for p, q in zip(network.module.parameters(), fresh.parameters(), strict=True)
    )
    images, labels = upstream.upstream(100, world="five", held_out=True)
    with torch.inference_mode():
        features = penultimate(network.module, upstream.to_batch(images, torch.device("cpu")))
    head = network.module.fc

    def by_hand(k: int) -> float:
        return share_right(features[:, :k] @ head.weight[:, :k].T + head.bias, labels)

    one_image = 0.0101  # convolutions in another memory format round differently
    assert (
        about["top1"] == pytest.approx(by_hand(32), abs=one_image)
        and network.origin.top1 == about["top1"]
    )
    assert ("top1_by_prefix" in about) is (loss in ("mrl", "ff"))
    if loss == "mrl":
        by_prefix = about["top1_by_prefix"]
        assert list(by_prefix) == ["8", "16", "32"] and by_prefix["32"] == about["top1"]
        assert list(network.origin.top1_by_prefix) == [8, 16, 32]
        for k in (8, 16) if options.get("shared") else ():
            assert by_prefix[str(k)] == pytest.approx(by_hand(k), abs=one_image)
    elif loss == "ff":
        assert about["top1_by_prefix"] == {"8": about["top1"]} and by_hand(8) == by_hand(32)
        assert (head.weight[:, 8:] == 0).all() and (head.weight[:, :8] != 0).any()
    assert ("robust_top1" in about) is (loss in ("standard", "adversarial"))
    if "robust_top1" in about:
        clean = share_right(features[:20] @ head.weight.T + head.bias, labels[:20])
        assert list(about["robust_top1"]) == ["l2_0.25", "l2_0.5", "linf_0.0157"] and about[
            "robust_top1_of"
        ].startswith("20 held-out")
        assert all(0 <= value <= clean + 0.05 for value in about["robust_top1"].values())
        assert about["robust_top1"]["l2_0.5"] <= about["robust_top1"]["l2_0.25"]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["dropout", "mrl"])
def test_resumed_training_gives_the_same_network_where_the_loss_draws_or_learns(
    loss, tiny, tmp_path, monkeypatch
):
    tiny(loss=loss, loss_options=LEARNED[loss], epochs=2, images=160)
    whole = pretrain("tiny", tmp_path / "whole", device="cpu")
    original = training._Trainer._epoch

    def interrupted(self, epoch):
        if epoch == 1:
            raise KeyboardInterrupt
        return original(self, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(training._Trainer, "_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretrain("tiny", tmp_path / "stopped", device="cpu")
    kept = torch.load(tmp_path / "stopped" / "tiny.resume.pt", weights_only=True)
    assert set(kept["loss"]) == (
        {f"own.{k}.{part}" for k in (8, 16) for part in ("weight", "bias")}
        if loss == "mrl"
        else set()
    )
    torch.rand(7)  # another state of the global generator
    resumed = pretrain("tiny", tmp_path / "stopped", device="cpu")
    assert sha256_of(resumed) == sha256_of(whole)
    one, other = (json.loads(path.with_suffix(".json").read_text()) for path in (whole, resumed))
    assert one.get("top1_by_prefix") == other.get("top1_by_prefix")
    assert not (tmp_path / "stopped" / "tiny.resume.pt").exists()


# Layers from one pass


def counted(module: nn.Module) -> list[int]:
    """Images of each call of a module from now on."""
    calls: list[int] = []
    module.register_forward_hook(lambda _module, inputs, _output: calls.append(len(inputs[0])))
    return calls


@pytest.fixture
def few() -> dr.Task:
    """A task of few images, for which no cache has an entry."""
    rng = np.random.default_rng(0)

    def part(n: int) -> Split:
        return Split(
            ArrayImages(rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)), np.arange(n) % 3
        )

    return dr.Task(
        "few", "Few", ("a", "b", "c"), "few:1", "here", "free", lambda: (part(40), part(20))
    )


def test_several_layers_from_one_pass_are_those_taken_one_by_one(few):
    network = dr.net(NAME)
    batch = preprocess.prepare(
        few.splits["test"].images.batch(0, 8), network.preprocessing, torch.device("cpu")
    )
    layers = ["layer2", "penultimate", "conv1", "layer4", "layer1"]
    calls = counted(network.module.conv1)
    with torch.inference_mode():
        together = extraction.forward(network.module, batch, layers)
        assert calls == [8]
        alone = {
            layer: extraction.forward(network.module, batch, [layer])[layer] for layer in layers
        }
    assert list(together) == layers
    for layer in layers:
        assert torch.equal(together[layer], alone[layer])
    assert (
        len({tuple(value.flatten()[:5].tolist()) for value in together.values()}) == 4
    )  # layer4, pooled, is the penultimate layer
    assert not any(
        module._forward_hooks for name, module in network.module.named_modules() if name != "conv1"
    )


@pytest.mark.parametrize(
    "architecture, layer",
    [("miniature_resnet", "layer2"), ("miniature_vgg", "stages.1"), ("miniature_vit", "blocks.2")],
)
def test_a_layer_is_the_mean_over_positions_of_its_module(architecture, layer):
    net = build(architecture, 5, 64, seed=1).eval()
    outputs = []
    net.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output.numpy())
    )
    with torch.inference_mode():
        rows = extraction.forward(net, torch.randn(3, 3, 32, 32), [layer])[layer].numpy()
    assert len(outputs) == 1
    for values, row in zip(outputs[0], rows, strict=True):
        tokens = (
            values.T if architecture == "miniature_vit" else values.reshape(len(values), -1)
        )  # features, positions
        assert row == pytest.approx(
            [sum(feature) / len(feature) for feature in tokens.tolist()], abs=1e-5
        )


def test_one_pass_fills_the_cache_with_all_layers_a_run_wants(few, tmp_path):
    cache, network = dr.Cache(tmp_path), dr.net(NAME)
    calls = counted(network.module.conv1)
    whole = dr.features(network, few, also=network.layers("stages"), cache=cache)
    assert calls == [40, 20] and (cache.misses, cache.hits) == (5, 0)
    widths = {"penultimate": 512, "layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}
    for layer, width in widths.items():
        features = dr.features(network, few, layer=layer, cache=cache)
        assert features.X_train.shape == (40, width) and features.X_test.shape == (20, width)
        assert features.X_train.dtype == np.float32 and features.classes == ("a", "b", "c")
        assert features.y_train.tolist() == [i % 3 for i in range(40)]
    assert calls == [40, 20] and cache.hits == 5
    again = extraction.extract(network, few.splits["test"], layers=["layer2"], device="cpu")[
        "layer2"
    ]
    assert np.allclose(
        dr.features(network, few, layer="layer2", cache=cache).X_test, again, atol=1e-5
    )
    assert np.array_equal(dr.features(network, few, cache=cache).X_train, whole.X_train)


def test_a_run_that_wants_one_layer_passes_for_it_alone_and_later_for_what_is_missing(
    few, tmp_path, monkeypatch
):
    cache, network = dr.Cache(tmp_path), dr.net(NAME)
    asked = []
    original = extraction.forward
    monkeypatch.setattr(
        extraction,
        "forward",
        lambda module, batch, layers: asked.append(list(layers)) or original(module, batch, layers),
    )
    dr.features(network, few, layer="layer2", cache=cache)
    dr.features(network, few, also=network.layers("stages"), cache=cache)
    assert asked == [["layer2"]] * 2 + [["penultimate", "layer1", "layer3", "layer4"]] * 2


# The cache of several results that are computed together


def keys_of(names: str) -> dict[str, dict]:
    return {name: {"kind": "test", "layer": name} for name in names}


class Work:
    """Computes arrays of its names and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, missing: list[str]) -> dict[str, dict[str, np.ndarray]]:
        self.asked.append(missing)
        return {name: {"x": np.full(3, ord(name)), "y": np.zeros(1)} for name in missing}


def test_only_missing_results_are_computed_and_each_is_stored_under_its_own_key(tmp_path):
    cache, work, keys = dr.Cache(tmp_path), Work(), keys_of("abc")
    cache.put(keys["b"], {"x": np.array([5])})
    results = cache.get_or_compute_all(keys, work, lock={"kind": "test"})
    assert work.asked == [["a", "c"]] and (cache.hits, cache.misses) == (1, 2)
    assert {name: arrays["x"].tolist() for name, arrays in results.items()} == {
        "a": [97] * 3,
        "b": [5],
        "c": [99] * 3,
    }
    for name, key in keys.items():
        assert cache.get(key)["x"].tolist() == results[name]["x"].tolist()
    assert len(list(tmp_path.rglob("*.safetensors"))) == 3
    again = cache.get_or_compute_all(keys_of("cb"), work, lock={"kind": "test"})
    assert len(work.asked) == 1 and again.keys() == {"b", "c"} and cache.hits == 3


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data[:-1] + bytes([data[-1] ^ 1])],
    ids=["cut", "flipped"],
)
def test_a_corrupt_result_is_rebuilt_alone(tmp_path, caplog, damage):
    cache, work, keys = dr.Cache(tmp_path), Work(), keys_of("abc")
    first = cache.get_or_compute_all(keys, work, lock={"kind": "test"})
    path = cache.path(keys["b"])
    path.write_bytes(damage(path.read_bytes()))
    others = {name: cache.path(keys[name]).stat().st_mtime_ns for name in "ac"}
    second = cache.get_or_compute_all(keys, work, lock={"kind": "test"})
    assert (
        work.asked == [["a", "b", "c"], ["b"]]
        and str(path) in caplog.text
        and "rebuilt" in caplog.text
    )
    assert all(
        np.array_equal(second[name][part], first[name][part]) for name in "abc" for part in "xy"
    )
    assert others == {name: cache.path(keys[name]).stat().st_mtime_ns for name in "ac"}
    assert cache.get(keys["b"]) is not None


def test_results_computed_together_are_refreshed_where_they_are_old(tmp_path):
    work, keys = Work(), keys_of("ab")
    dr.Cache(tmp_path).put(keys["a"], {"x": np.array([1])})
    later = dr.Cache(
        tmp_path, refresh_before=dr.Cache(tmp_path).path(keys["a"]).stat().st_mtime + 1
    )
    assert (
        later.get_or_compute_all(keys, work, lock={"kind": "test"})["a"]["x"].tolist() == [97] * 3
    )
    assert work.asked == [["a", "b"]]


def test_a_failed_computation_stores_nothing_and_frees_the_lock(tmp_path):
    cache, keys = dr.Cache(tmp_path), keys_of("ab")
    with pytest.raises(ZeroDivisionError):
        cache.get_or_compute_all(keys, lambda _missing: 1 / 0, lock={"kind": "test"})
    assert not list(tmp_path.rglob("*.safetensors"))
    assert cache.get_or_compute_all(keys, Work(), lock={"kind": "test"}).keys() == {"a", "b"}


def test_two_that_share_a_lock_compute_what_both_want_once(tmp_path):
    work, started, free = Work(), threading.Event(), threading.Event()

    def slow(missing: list[str]) -> dict[str, dict[str, np.ndarray]]:
        started.set()
        assert free.wait(60)
        return work(missing)

    first = threading.Thread(
        target=lambda: dr.Cache(tmp_path).get_or_compute_all(
            keys_of("ab"), slow, lock={"kind": "test"}
        )
    )
    second = threading.Thread(
        target=lambda: dr.Cache(tmp_path).get_or_compute_all(
            keys_of("bc"), work, lock={"kind": "test"}
        )
    )
    first.start()
    assert started.wait(60)
    second.start()
    second.join(0.2)  # it waits
    assert work.asked == []
    free.set()
    first.join(60)
    second.join(60)
    assert work.asked == [["a", "b"], ["c"]]
