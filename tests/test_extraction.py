"""Features: the same whatever the batch, the memory, the decoding processes; random views by the
paper's recipe; other precisions measured.
"""

from __future__ import annotations

import weakref

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from diffused_redundancy.experiment.mixed_precision import effect
from diffused_redundancy.nets import extraction, preprocess
from diffused_redundancy.nets.networks import Preprocessing
from diffused_redundancy.nets.protocols import protocol
from diffused_redundancy.store import tensors
from diffused_redundancy.tasks.splits import ArrayImages, Split
from PIL import Image
from safetensors.numpy import load_file

NAME = "miniature_resnet_128.standard_s1"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    return dr.net(NAME)


@pytest.fixture(scope="module")
def split():
    part = dr.task("digits").splits["test"]
    return Split(part.images.take(range(90)), part.labels[:90])


@pytest.fixture(scope="module")
def plain(network, split):
    return extraction.extract(network, split, layers=["penultimate", "layer2"], device="cpu")


def same(features, plain):
    return all(np.allclose(features[layer], plain[layer], rtol=1e-4, atol=1e-4) for layer in plain)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for i in range(12):
                shape = (int(rng.integers(20, 60)), int(rng.integers(20, 60)), 3)
                Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(
                    root / part / name / f"{i:02d}.png"
                )
    return dr.task(f"folder:{root}")


def test_memory_that_runs_out_halves_the_batch(network, split, plain, monkeypatch):
    sizes = []
    original = extraction.forward

    def limited(module, batch, layers):
        sizes.append(len(batch))
        if len(batch) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(module, batch, layers)

    monkeypatch.setattr(extraction, "forward", limited)
    features = extraction.extract(
        network, split, layers=["penultimate", "layer2"], device="cpu", batch=64
    )
    assert same(features, plain) and sizes[:3] == [64, 32, 16] and max(sizes[3:]) == 16
    monkeypatch.setattr(
        extraction,
        "forward",
        lambda *given: (_ for _ in ()).throw(torch.OutOfMemoryError("none at all")),
    )
    with pytest.raises(
        dr.InputError, match="does not fit into the memory of cpu even with one image"
    ):
        extraction.extract(network, split, device="cpu", batch=8)


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_decode_the_same_batches(network, folder, monkeypatch, workers):
    part = folder.splits["train"]
    one = extraction.extract(network, part, device="cpu", batch=7)
    monkeypatch.setattr(extraction, "workers_for", lambda *given: workers)
    other = extraction.extract(network, part, device="cpu", batch=7)
    assert np.array_equal(one["penultimate"], other["penultimate"])


def test_an_image_that_a_worker_cannot_read_is_one_line(network, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name / f"{i}.png")
    split = dr.task(f"folder:{tmp_path}").splits["train"]
    for path in tmp_path.glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:40])
    monkeypatch.setattr(extraction, "workers_for", lambda *given: 1)
    with pytest.raises(dr.InputError) as error:
        extraction.extract(network, split, device="cpu")
    assert "Traceback" not in str(error.value) and str(tmp_path) in str(error.value)


def test_worker_processes_and_memory_that_runs_out(network, folder, monkeypatch):
    original = extraction.forward
    part = folder.splits["train"]
    expected = extraction.extract(network, part, device="cpu")

    def limited(module, batch, layers):
        if len(batch) > 4:
            raise torch.OutOfMemoryError("out of memory")
        return original(module, batch, layers)

    monkeypatch.setattr(extraction, "forward", limited)
    monkeypatch.setattr(extraction, "workers_for", lambda *given: 2)
    assert same(extraction.extract(network, part, device="cpu", batch=16), expected)


def test_networks_and_tasks_may_be_named(tmp_path):
    cache, names = dr.Cache(tmp_path), ("miniature_resnet_128.standard_s1", "digits")
    one = dr.features(*names, device="cpu", cache=cache)
    two = dr.features(dr.net(names[0]), dr.task(names[1]), device="cpu", cache=cache)
    assert np.array_equal(one.X_train, two.X_train) and one.classes == two.classes
    for wrong in (("miniature_resnet_128.standard_s9", "digits"), (names[0], "digit")):
        with pytest.raises(dr.InputError, match="did you mean|nearest"):
            dr.features(*wrong, cache=cache)


def test_features_larger_than_memory_go_through_files(network, monkeypatch, tmp_path):
    task = dr.task("digits", images=60)
    plain = dr.features(network, task, device="cpu", cache=dr.Cache(tmp_path / "plain"))
    monkeypatch.setattr(extraction, "IN_MEMORY", 1000)
    monkeypatch.setattr(tensors, "MAPPED", 1000)
    monkeypatch.setattr(tensors.read, "__kwdefaults__", {"mapped": 1000})
    cache = dr.Cache(tmp_path / "mapped")
    first = dr.features(network, task, device="cpu", cache=cache)
    again = dr.features(network, task, device="cpu", cache=cache)
    assert isinstance(first.X_train, np.memmap) and isinstance(again.X_train, np.memmap)
    for features in (first, again):
        assert np.array_equal(features.X_train, plain.X_train) and np.array_equal(
            features.y_test, plain.y_test
        )
    statistics = dr.SufficientStatistics.from_features(again.X_train, again.y_train)
    curve = dr.RidgeProbe(again, penalty=0.1).curve(dr.ordering("first", statistics))
    assert np.isfinite(curve.values).all()


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int32", "int64", "uint8", "bool"]
)
def test_arrays_are_written_as_the_package_reads_them(tmp_path, dtype):
    rng = np.random.default_rng(0)
    arrays = {
        "b": rng.integers(0, 2, (5, 3)).astype(dtype),
        "a": rng.random(7),
        "empty": np.zeros((0, 4), dtype),
        "scalar": np.array(1, dtype),
    }
    tensors.write(tmp_path / "a", arrays, {"key": "ä"})
    theirs = load_file(tmp_path / "a")
    for mapped in (0, 1 << 30):
        ours, notes = tensors.read(tmp_path / "a", mapped=mapped)
        assert notes == {"key": "ä"}
        for name, array in arrays.items():
            for read in (ours[name], theirs[name]):
                assert (
                    np.array_equal(read, array)
                    and read.dtype == array.dtype
                    and read.shape == array.shape
                )
    with pytest.raises(TypeError, match="complex128"):
        tensors.write(tmp_path / "b", {"a": np.zeros(2, complex)}, {})


# Large images


class Drawn:
    """Images made when asked for, that know how many of them are in memory."""

    def __init__(self, n: int, side: int) -> None:
        self.n, self.side, self.alive, self.most = n, side, 0, 0

    def __len__(self) -> int:
        return self.n

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        return [self._one(i) for i in range(start, stop)]

    def _one(self, i: int) -> np.ndarray:
        shape = (self.side, self.side + 100, 3)
        image = np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8)
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(image, self._gone)
        return image

    def _gone(self) -> None:
        self.alive -= 1


@pytest.mark.parametrize("view", [None, 0])
def test_large_images_are_held_one_at_a_time(network, view):
    images = Drawn(12, 2100)
    part = Split(images, np.zeros(12, int))
    extraction.extract(network, part, device="cpu", view=view)
    assert images.most <= 2


def test_few_pixels_are_resized_at_a_time(network, monkeypatch):
    pixels = []
    original = preprocess.resized

    def counted(images, how):
        pixels.append(images[..., 0].numel())
        return original(images, how)

    monkeypatch.setattr(preprocess, "resized", counted)
    for side, n, most in ((32, 200, 128 * 32 * 32), (700, 20, 1 << 22), (2100, 3, 2100**2)):
        pixels.clear()
        array = np.zeros((n, side, side, 3), np.uint8)
        extraction.extract(network, Split(ArrayImages(array), np.zeros(n, int)), device="cpu")
        assert sum(pixels) == array[..., 0].size and most / 2 < max(pixels) <= most


@pytest.mark.parametrize("shape", [(8, 8), (32, 32), (64, 48), (375, 500)])
@pytest.mark.parametrize(
    "how",
    [
        Preprocessing(32, (0.5,) * 3, (0.25,) * 3),
        Preprocessing(224, (0.5,) * 3, (0.25,) * 3, 256, "bicubic"),
        Preprocessing(64, (0.5,) * 3, (0.25,) * 3, 72, "bicubic", True),
    ],
)
def test_images_do_not_depend_on_those_resized_with_them(shape, how, monkeypatch):
    images = list(np.random.default_rng(0).integers(0, 256, (7, *shape, 3), dtype=np.uint8))
    together = preprocess.prepare(images, how, CPU)
    for limit in (1, 3 * shape[0] * shape[1]):
        monkeypatch.setattr(preprocess, "TOGETHER", limit)
        assert torch.equal(preprocess.prepare(iter(images), how, CPU), together)


# Protocols


@pytest.mark.parametrize(
    "name, views", [("clean", 1), ("augmented", 4), ("augmented:4", 4), ("augmented:12", 12)]
)
def test_protocols(name, views):
    assert protocol(name).views == views
    assert protocol("augmented") == protocol("augmented:4")


@pytest.mark.parametrize(
    "name", ["augment", "augmented:0", "augmented:x", "clean:2", "augmented:1000", ""]
)
def test_no_protocol(name):
    with pytest.raises(dr.InputError, match="unknown protocol .*: allowed are clean, augmented"):
        protocol(name)


def test_views_are_random_but_the_same_each_time(split):
    how = Preprocessing(24, (0.5,) * 3, (0.25,) * 3)
    images = split.images.batch(0, 6)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    one = preprocess.augmented(images, how, CPU, view=0, start=10)
    assert torch.equal(torch.rand(2), expected)
    assert one.shape == (6, 3, 24, 24) and one.min() >= -2 - 1e-5 and one.max() <= 2 + 1e-5
    assert torch.equal(
        one[4:], preprocess.augmented(images[4:], how, CPU, view=0, start=14)
    )  # whatever the batch
    assert not torch.equal(one, preprocess.augmented(images, how, CPU, view=1, start=10))
    assert not torch.equal(one[0], preprocess.augmented(images[:1], how, CPU, view=0, start=11)[0])


def test_views_crop_flip_turn_and_colour():
    """On an image with a dark left and a bright right half, in one hue: about half of the views are
    flipped, brightness and scale vary.
    """
    image = np.full((64, 64, 3), 60, np.uint8)
    image[:, 32:] = 180
    how = Preprocessing(32, (0.0,) * 3, (1.0,) * 3)
    views = torch.cat(
        [preprocess.augmented([image], how, CPU, view=view, start=0) for view in range(80)]
    )
    middle = views[:, 0, 8:24, :]
    brighter_right = (middle[..., 28].mean(1) > middle[..., 3].mean(1)).float().mean()
    assert 0.2 < brighter_right < 0.7
    assert 0.55 < views.max() <= 1 and views.amax((1, 2, 3)).std() > 0.05


def test_augmented_features(network, tmp_path):
    task = dr.task("digits", images=40)
    cache = dr.Cache(tmp_path)
    clean = dr.features(network, task, device="cpu", cache=cache)
    many = dr.features(network, task, device="cpu", protocol_name="augmented:3", cache=cache)
    assert many.X_train.shape == (120, network.d) and np.array_equal(
        many.y_train, np.tile(clean.y_train, 3)
    )
    assert np.array_equal(many.X_test, clean.X_test)
    assert not np.allclose(many.X_train[:40], many.X_train[40:80])
    assert cache.misses == 2 + 3  # of each protocol, and of each view


def test_views_of_an_image_do_not_leak_into_its_validation():
    """Left out one by one, copies let a memorising probe look perfect; left out together they do
    not.
    """
    rng = np.random.default_rng(0)
    X, y = np.tile(rng.standard_normal((60, 80)), (4, 1)), np.tile(rng.integers(0, 2, 60), 4)
    apart, together = (
        dr.RidgeProbe(dr.Features(X, y, views=views)).choose_penalty(grid=(1e-6,)).accuracy[0]
        for views in (1, 4)
    )
    assert apart > 0.95 and together < 0.75


# Precision


def test_bf16_is_close_and_said_to_be(network, split, plain):
    features = extraction.extract(network, split, device="cpu", compute="bf16")["penultimate"]
    exact = plain["penultimate"]
    assert features.dtype == np.float32 and not np.array_equal(features, exact)
    assert np.linalg.norm(features - exact) / np.linalg.norm(exact) < 0.03
    measured = effect(network, dr.task("digits", images=200), "bf16", device="cpu")
    assert (
        0 < measured.error < 0.1
        and 0.999 < measured.cka < 1
        and abs(measured.accuracy[0] - measured.accuracy[1]) < 0.03
    )
    assert (
        "bf16 against float32, on one clean view of 400 images at the penultimate layer: "
        "features differ by " in measured.sentence("bf16")
    )
    nothing = effect(network, dr.task("digits", images=200), "float32", device="cpu")
    assert (
        nothing.error == 0
        and nothing.cka == pytest.approx(1, abs=1e-12)
        and nothing.accuracy[0] == nothing.accuracy[1]
    )


def test_a_compiled_network_gives_the_same_features(split, plain, monkeypatch):
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f: original(f, backend="eager"))
    features = extraction.extract(dr.net(NAME), split, device="cpu", compute="float32+compile")
    assert np.allclose(features["penultimate"], plain["penultimate"], atol=1e-4)


def test_no_way_to_compute(network, split):
    with pytest.raises(dr.InputError, match="unknown way to compute features 'fp16'"):
        extraction.extract(network, split, compute="fp16")


def test_images_in_memory_need_no_workers(split, folder):
    assert extraction.workers_for(split, torch.device("cuda")) == 0
    large = Split(folder.splits["train"].images.take([0] * 2000), np.zeros(2000, int))
    assert (
        extraction.workers_for(large, torch.device("cuda")) >= 1
        and extraction.workers_for(large, CPU) == 0
    )
    assert isinstance(split.images, ArrayImages)


# Layers


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "efficientnet_b0",
        "densenet121",
        pytest.param("vgg11_bn", marks=pytest.mark.slow),
    ],
)
@torch.inference_mode()
def test_a_layer_is_what_it_gave_before_others_wrote_over_it(name):
    """ReLU and shortcuts in place change what a layer gave: every module is compared with a copy
    taken when it ran.
    """
    import timm

    net = timm.create_model(name, num_classes=5).eval()
    images = torch.randn(2, 3, 64, 64)
    copies: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(
            lambda _, given, output, key=key: copies.__setitem__(key, output.clone())
        )
        for key, module in net.named_modules()
        if key
    ]
    net(images)
    for hook in hooks:
        hook.remove()
    layers = [key for key, value in copies.items() if value.ndim == 4]
    by_layer = dr.forward(net, images, layers)
    assert len(layers) > 25
    assert all(torch.allclose(by_layer[key], copies[key].mean((2, 3)), atol=1e-6) for key in layers)


@pytest.mark.parametrize(
    "name, size",
    [
        ("swin_tiny_patch4_window7_224", 224),
        ("mambaout_femto", 96),
        ("resnet18", 64),
        ("convnext_atto", 64),
    ],
)
@torch.inference_mode()
def test_stages_have_the_channels_that_timm_says(name, size):
    import timm

    net = timm.create_model(name, num_classes=5).eval()
    stages = [one for one in net.feature_info if not one["module"].startswith("act")]
    by_layer = dr.forward(net, torch.randn(2, 3, size, size), [one["module"] for one in stages])
    assert [by_layer[one["module"]].shape for one in stages] == [
        (2, one["num_chs"]) for one in stages
    ]


def test_layers_that_give_nothing_to_measure_are_refused():
    import timm

    net = timm.create_model("vit_tiny_patch16_224", num_classes=5).eval()
    with pytest.raises(
        dr.InputError, match="layer 'blocks.0.attn.attn_drop' is not run by this network"
    ):
        dr.forward(net, torch.randn(2, 3, 224, 224), ["blocks.0.attn.attn_drop"])

    class Two(torch.nn.Module):
        def forward(self, x):
            return x, x

    net.blocks[1].attn.register_module("two", Two())
    net.blocks[1].attn.forward = lambda x, *_, attn=net.blocks[1].attn, **__: attn.two(x)[0]
    with pytest.raises(dr.InputError, match=r"layer 'blocks.1.attn.two' gives tuple for 2 images"):
        dr.forward(net, torch.randn(2, 3, 224, 224), ["blocks.1.attn.two"])
