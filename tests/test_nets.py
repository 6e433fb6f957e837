"""Networks: shipped checkpoints are what their manifests say, training resumes exactly, and weights
that do not fit are refused.
"""

from __future__ import annotations

import functools
import json

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
import torch
from diffused_redundancy.nets import (
    checkpoints,
    extraction,
    preprocess,
    training,
    upstream,
    weightfiles,
)
from diffused_redundancy.nets.architectures import build
from diffused_redundancy.nets.training import pretrain
from diffused_redundancy.nets.zoo import ZOO, Recipe
from diffused_redundancy.store import sha256_of
from diffused_redundancy.tasks.splits import ArrayImages, Split
from safetensors.torch import load_file, save_file

NAME = "miniature_resnet.standard_s1"


@functools.cache
def held_out(world: str, images: int) -> tuple[np.ndarray, np.ndarray]:
    return upstream.upstream(images, world=world, held_out=True)


@pytest.mark.parametrize("name", ZOO)
def test_shipped_checkpoint_is_what_its_manifest_says(name):
    about = checkpoints.manifest(name)
    path = checkpoints.folder() / about["file"]
    assert about["sha256"] == sha256_of(path) and about["bytes"] == path.stat().st_size
    assert about["recipe"] == ZOO[name].as_dict() and about["is_the_zoo_recipe"]
    assert all(
        tensor.dtype == torch.float16
        for tensor in load_file(path).values()
        if tensor.is_floating_point()
    )
    least = 0.85 if about["recipe"]["images"] >= 40_000 else 0.4
    if about["recipe"]["upstream"] == "font_style":  # 2,400 images learned by heart, 1/12 by chance
        least = 0.1
    assert about["top1"] >= least
    log = pd.read_csv(path.with_suffix(".csv"))
    assert log["epoch"].tolist() == list(range(1, about["recipe"]["epochs"] + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_shipped_checkpoint_is_as_accurate_as_its_manifest_says(name):
    about = checkpoints.manifest(name)
    recipe = about["recipe"]
    images, labels = held_out(recipe["upstream"], min(1500, recipe["held_out"]))
    measured = training.top1(dr.net(name).module, images, labels, torch.device("cpu"))
    assert measured == pytest.approx(about["top1"], abs=0.03)


def test_penultimate_features_are_what_the_head_sees():
    network = dr.net(NAME)
    batch = preprocess.prepare(
        dr.task("digits").splits["test"].images.batch(0, 8),
        network.preprocessing,
        torch.device("cpu"),
    )
    with torch.inference_mode():
        by_layer = dr.forward(network.module, batch, ("penultimate", "layer4", "layer2", "fc"))
        features, logits = by_layer["penultimate"], network.module(batch)
        assert features.shape == (8, network.d) and by_layer["layer2"].shape == (8, 128)
        assert torch.allclose(network.module.fc(features), logits, atol=1e-5)
        assert torch.allclose(by_layer["layer4"], features, atol=1e-5)
        assert torch.allclose(by_layer["fc"], logits, atol=1e-5)
        with pytest.raises(dr.InputError, match="unknown layer 'layer5': did you mean 'layer"):
            extraction.forward(network.module, batch, ["layer5"])


def test_features_do_not_depend_on_batch_or_neighbours():
    network, part = dr.net(NAME), dr.task("digits").splits["test"]
    one, two = (
        extraction.extract(network, part, batch=size, device="cpu")["penultimate"]
        for size in (500, 37)
    )
    assert np.allclose(one, two, atol=1e-4)


def test_features_are_cached(tmp_path):
    cache = dr.Cache(tmp_path)
    network, task = dr.net(NAME), dr.task("digits")
    one = dr.features(network, task, cache=cache)
    two = dr.features(network, task, cache=cache)
    assert (cache.misses, cache.hits) == (1, 1)
    assert np.array_equal(one.X_train, two.X_train) and one.X_train.shape == (1297, 512)


def test_preprocessing_of_any_size():
    how = preprocess.Preprocessing(16, (0.5,) * 3, (0.25,) * 3)
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in ((16, 16), (40, 20), (9, 33))
    ]
    batch = preprocess.prepare(images, how, torch.device("cpu"))
    assert batch.shape == (3, 3, 16, 16)
    assert torch.allclose(
        batch[0], (torch.from_numpy(images[0]).permute(2, 0, 1) / 255 - 0.5) / 0.25, atol=1e-6
    )


def test_resizing_is_that_of_an_image_library():
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    ours = (
        preprocess.resized(
            torch.from_numpy(image)[None], preprocess.Preprocessing(224, (0,) * 3, (1,) * 3)
        )[0]
        .permute(1, 2, 0)
        .numpy()
    )
    theirs = np.asarray(
        Image.fromarray(image).resize((224, 224), Image.Resampling.BILINEAR)
    ).astype(float)
    assert np.abs(ours - theirs).max() <= 1 and np.abs(ours - theirs).mean() < 0.01


@pytest.mark.parametrize(
    "side, interpolation", [(224, "bilinear"), (235, "bicubic"), (256, "bicubic")]
)
def test_resize_and_crop_are_torchvision_s(side, interpolation):
    """Sizes that are rounded otherwise shift the image by a part of a pixel, or crop it one pixel
    off.
    """
    from PIL import Image
    from torchvision import transforms

    rng = np.random.default_rng(0)
    theirs = transforms.Compose(
        [
            transforms.Resize(side, transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(224),
        ]
    )
    how = preprocess.Preprocessing(224, (0,) * 3, (1 / 255,) * 3, side, interpolation)
    for _ in range(12):
        width, height = (int(n) for n in rng.integers(100, 600, 2))
        image = Image.fromarray(
            rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        ).resize((width, height))
        ours = (
            preprocess.prepare([np.asarray(image)], how, torch.device("cpu"))[0]
            .permute(1, 2, 0)
            .numpy()
        )
        assert np.abs(ours - np.asarray(theirs(image))).mean() < 0.1, (width, height)


def test_squashed_batches():
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    how = preprocess.Preprocessing(32, (0,) * 3, (1 / 255,) * 3, 40, squash=True)
    ours = preprocess.prepare([image], how, torch.device("cpu"))[0].permute(1, 2, 0).numpy()
    theirs = np.asarray(Image.fromarray(image).resize((40, 40), Image.Resampling.BILINEAR))[
        4:36, 4:36
    ]
    assert np.abs(ours - theirs).mean() < 0.1 and "both sides to 40 px" in str(how)


@pytest.mark.slow
def test_training_learns_and_resumes_exactly(tmp_path, monkeypatch):
    monkeypatch.setitem(
        ZOO,
        "tiny",
        Recipe(features=32, images=524, held_out=131, epochs=2, batch=32),
    )
    whole = pretrain("tiny", tmp_path / "whole", device="cpu")
    stopped = tmp_path / "stopped"
    original = training._Trainer._epoch

    def interrupted(self, epoch):
        if epoch == 1:
            raise KeyboardInterrupt
        return original(self, epoch)

    monkeypatch.setattr(training._Trainer, "_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain("tiny", stopped, device="cpu")
    assert not (stopped / "tiny.safetensors").exists() and (stopped / "tiny.resume.pt").exists()
    monkeypatch.setattr(training._Trainer, "_epoch", original)
    resumed = pretrain("tiny", stopped, device="cpu")
    assert sha256_of(resumed) == sha256_of(whole)
    assert not (stopped / "tiny.resume.pt").exists()
    about = json.loads(resumed.with_suffix(".json").read_text())
    assert about["recipe"]["images"] == 524 and 0 <= about["top1"] <= 1
    losses = pd.read_csv(resumed.with_suffix(".csv"))["train_loss"]
    assert losses[1] < losses[0]


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    a, b = (build("miniature_resnet", 5, 32, seed=1) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize(
    "change, words",
    [
        ("missing", "1 missing .fc.bias"),
        ("extra", "1 unexpected .extra"),
        ("shape", "1 of another shape .fc.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, words):
    net = build("miniature_resnet", 5, 32, seed=1)
    state = dict(net.state_dict())
    if change == "missing":
        del state["fc.bias"]
    elif change == "extra":
        state["extra"] = torch.zeros(1)
    else:
        state["fc.bias"] = torch.zeros(7)
    with pytest.raises(dr.InputError, match=words):
        weightfiles.load_into(net, state, "file")


def test_weight_files_that_cannot_be_read(tmp_path):
    good = tmp_path / "a.safetensors"
    save_file({"w": torch.ones(100)}, good)
    with pytest.raises(dr.InputError, match="its sha256 is"):
        weightfiles.read(good, "0" * 64)
    good.write_bytes(good.read_bytes()[:50])
    with pytest.raises(dr.InputError, match="cannot be read"):
        weightfiles.read(good)
    with pytest.raises(dr.InputError, match="no weight file"):
        weightfiles.read(tmp_path / "none.pt")
    other = tmp_path / "a.h5"
    other.write_bytes(b"x")
    with pytest.raises(dr.InputError, match="not '.h5'"):
        weightfiles.read(other)


class Evil:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


def test_code_in_a_checkpoint_is_never_run(tmp_path, capsys):
    path = tmp_path / "evil.pt"
    torch.save({"w": torch.ones(2), "evil": Evil()}, path)
    with pytest.raises(dr.InputError, match="holds an object of .*print.*refused"):
        weightfiles.read(path)
    assert "unpickled" not in capsys.readouterr().out


def test_local_weights_of_a_timm_network(tmp_path):
    import timm

    path = tmp_path / "weights.safetensors"
    save_file(
        timm.create_model("resnet18.tv_in1k", pretrained=False, num_classes=7).state_dict(), path
    )
    network = dr.net(f"resnet18.tv_in1k@{path}")
    assert (
        network.d == 512
        and network.preprocessing.size == 224
        and network.preprocessing.mean[0] == 0.485
    )
    assert network.module.num_classes == 7
    with pytest.raises(dr.InputError, match="unknown timm model 'resnt18': did you mean"):
        dr.net(f"resnt18@{path}")
    with pytest.raises(dr.InputError, match="does not fit"):
        _ = dr.net(f"resnet34.tv_in1k@{path}").module


def test_unknown_networks_and_recipes(tmp_path):
    with pytest.raises(dr.InputError, match=f"did you mean '{NAME}'"):
        dr.net("miniature_resnet.standard_s1x")
    with pytest.raises(dr.InputError, match="unknown network of the miniature zoo"):
        pretrain("resnet50", tmp_path)
    with pytest.raises(dr.InputError, match="at least 1 epoch"):
        pretrain(NAME, tmp_path, images=5)
    with pytest.raises(dr.InputError, match="at least 1 epoch"):
        pretrain(NAME, tmp_path, epochs=0)
    with pytest.raises(dr.InputError, match="would replace the shipped checkpoint"):
        pretrain(NAME, epochs=1)
    with pytest.raises(dr.InputError, match="miniature_resnet takes 32, .*nearest: 32"):
        build("miniature_resnet", 5, 33, seed=0)


def test_the_readme_of_the_data_lists_the_zoo_as_it_is():
    from conftest import ROOT
    from diffused_redundancy.nets import catalogue

    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    listed = text.partition("pretrain` -->\n")[2].partition("\n<!-- end of zoo -->")[0]
    assert listed == catalogue.table(), "renew the table: python -m diffused_redundancy pretrain"
    assert "not trained yet" not in listed


def test_the_zoo_fits_in_a_repository():
    assert (
        sum(
            path.stat().st_size for path in checkpoints.folder().parent.rglob("*") if path.is_file()
        )
        < 110e6
    )


def test_adversarial_networks_are_robust_and_nested_prefixes_good():
    """The checks without which the notebooks would compare names only."""
    about = {name: checkpoints.manifest(name) for name in ZOO}
    plain = [
        value
        for name, value in about.items()
        if ".standard_s" in name and value["recipe"]["features"] == 512
    ]
    for name, value in about.items():
        if value["recipe"]["loss"] == "adversarial":
            options = value["recipe"]["loss_options"]
            threat = f"{options['norm']}_{options['radius']:g}"
            assert (
                value["robust_top1"][threat]
                > max(one["robust_top1"][threat] for one in plain) + 0.1
            ), name
        if value["recipe"]["loss"] == "mrl":
            by_prefix = value["top1_by_prefix"]
            assert by_prefix["8"] > 0.8 and by_prefix["512"] == value["top1"], name
    fixed = {int(name.split("_")[2]): value for name, value in about.items() if ".ff_" in name}
    assert sorted(fixed) == [8, 16, 32, 64, 128, 256]


@pytest.mark.slow
def test_a_nested_prefix_beats_that_of_a_standard_network():
    parts = upstream.upstream(3000), upstream.upstream(2000, held_out=True)
    train, test = (Split(ArrayImages(images), labels) for images, labels in parts)
    task = dr.Task("upstream", "Upstream", (), "upstream", "", "", lambda: (train, test))
    curves = []
    for name in ("miniature_resnet.mrl_s1", "miniature_resnet.standard_s1"):
        probe = dr.RidgeProbe(dr.features(name, task), penalty=1e-3)
        curves.append(probe.curve(dr.ordering("first", probe.statistics)))
    nested, plain = curves
    assert all(nested.at(k) > plain.at(k) + 0.05 for k in (8, 16))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_network_trains_as_any(tmp_path, monkeypatch):
    monkeypatch.setitem(
        ZOO,
        "tiny",
        Recipe(features=32, images=262, held_out=131, epochs=1, batch=64, precision="float32"),
    )
    plain = pretrain("tiny", tmp_path / "plain", device="cpu")
    compiled = pretrain("tiny", tmp_path / "compiled", device="cpu", compiled="eager")
    a, b = load_file(plain), load_file(compiled)
    assert list(a) == list(b) and all(
        torch.allclose(a[key].float(), b[key].float(), atol=1e-3) for key in a
    )
