"""Product-quantised weight files in both published layouts, written here: each is decoded to the
weights that a plain loop finds, and a mistake in one is a line that names the layer.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
import timm
import torch
import torchvision
from diffused_redundancy.__main__ import main
from diffused_redundancy.nets import names, quantised, weightfiles
from diffused_redundancy.store import assets
from diffused_redundancy.store.download import Expected
from quantising import BITS, PQF, decoded_plainly
from quantising import quantised as made
from webserver import sha

TAG = "test_resnet.r160_in1k"
"""A small residual network of timm, with convolutions of 1 x 1 and 3 x 3."""
LAYOUTS = [PQF, BITS]
IMAGES = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path / "assets"


@pytest.fixture(scope="module")
def small():
    return timm.create_model(TAG, pretrained=False, num_classes=8).eval()


def opened(content, path, tag=TAG) -> torch.nn.Module:
    path.unlink(missing_ok=True)
    torch.save(content, path)
    return dr.net(f"{tag}@{path}").module


def with_state(net, plain):
    """A network with a plain state dict; batch norm's counters are not weights."""
    net = copy.deepcopy(net)
    left = net.load_state_dict(plain, strict=False)
    assert not left.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in left.missing_keys)
    return net


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_are_those_of_a_plain_loop(tmp_path, small, layout, zipped):
    content, plain = made(small, layout)
    path = tmp_path / "w.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)  # as torch 1.0 wrote them
    ours = dr.net(f"{TAG}@{path}").module.state_dict()
    assert {key for key in ours if not key.endswith("num_batches_tracked")} == set(plain)
    assert all(torch.equal(ours[key], value) for key, value in plain.items())
    with torch.inference_mode():
        logits = dr.net(f"{TAG}@{path}").module(IMAGES)
        assert torch.allclose(logits, with_state(small, plain)(IMAGES), atol=1e-5)


def test_the_second_layout_stacks_blocks_before_channels():
    """Two channels of three blocks, by hand; the other order would be another matrix."""
    book = torch.tensor([[float(10 * row), 10.0 * row + 1] for row in range(6)])
    state = {
        "fc.centroids": book,
        "fc.assignments": torch.tensor([0, 3, 1, 4, 2, 5], dtype=torch.uint8),
        "fc.n_blocks": torch.tensor(3),
    }
    (weight,) = quantised.decoded(state, {"fc.weight": torch.zeros(2, 6)}, "w").values()
    assert weight.tolist() == [[0, 1, 10, 11, 20, 21], [30, 31, 40, 41, 50, 51]]


def test_codes_of_sixteen_bits_wrap():
    rows = 40_000
    rng = np.random.default_rng(0)
    book = torch.from_numpy(rng.normal(size=(rows, 4)).astype(np.float32))
    codes = rng.integers(0, rows, (50, 8))
    codes[0, 0] = rows - 1
    stored = torch.from_numpy(codes.astype(np.int16))
    assert (stored < 0).any()
    state = {"fc.codes_matrix": stored, "fc.codebook": book}
    wanted = {"fc.weight": torch.zeros(50, 32)}
    assert torch.equal(
        quantised.decoded(state, wanted, "w")["fc.weight"], decoded_plainly(codes, book)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batch_norm_is_whole_again(small, layout):
    content, _ = made(small, layout)
    flat = quantised.flattened(content, "w")
    plain = quantised.decoded(flat, small.state_dict(), "w")
    kinds = {"running_mean": 0.0, "running_var": 1.0}
    for kind, value in kinds.items():
        some = [one for name, one in plain.items() if name.endswith(kind)]
        assert some and all((one == value).all() for one in some)


def test_statistics_that_are_there_are_kept(tmp_path, small):
    content, plain = made(small, PQF)
    given = {name: value + 0.25 for name, value in plain.items() if ".running_" in name}
    ours = opened({**content, **given}, tmp_path / "w.pth").state_dict()
    assert all(torch.equal(ours[key], value) for key, value in given.items())
    lacking = dict(list(given.items())[1:])
    with pytest.raises(dr.InputError, match="1 missing .*running_mean"):
        opened({**content, **lacking}, tmp_path / "w.pth")


def test_a_plain_state_dict_is_left_as_it_is(tmp_path, small):
    state = small.state_dict()
    assert quantised.flattened(state, "w") is state
    assert quantised.decoded(state, state, "w") == state
    no_statistics = {key: value for key, value in state.items() if ".running_" not in key}
    with pytest.raises(dr.InputError, match="keys .* missing"):  # not filled in unless quantised
        opened(no_statistics, tmp_path / "w.pth")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, layout, theirs",
    [
        ("resnet50.pqf_large", PQF, "resnet50"),
        ("resnet18.kill_the_bits_small", BITS, "resnet18"),
    ],
)
def test_registered_networks_give_torchvision_s_outputs(monkeypatch, name, layout, theirs):
    net = getattr(torchvision.models, theirs)(weights=None).eval()
    content, plain = made(net, layout)
    one = unhashed(name)
    path = one.path(one.files[0])
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    monkeypatch.setattr(assets, "manifest", lambda: {name: one})
    network = dr.net(name, fetching=False)
    timms = timm.create_model(one.about["architecture"], pretrained=False)
    assert not timms.load_state_dict(network.module.state_dict(), strict=True).missing_keys
    images = IMAGES[:1].repeat(1, 1, 2, 2)
    with torch.inference_mode():
        expected = with_state(net, plain)(images)
        assert torch.allclose(network.module(images), expected, rtol=1e-3, atol=1e-4)
    assert network.d == {"resnet50": 2048, "resnet18": 512}[theirs]
    assert network.origin.top1 == pytest.approx({"resnet50": 0.7218, "resnet18": 0.6581}[theirs])
    assert "compressed" in network.source and "restored" in network.source


def unhashed(name: str) -> assets.Asset:
    one = assets.asset(name)
    return replace(one, files=tuple(replace(file, expected=Expected()) for file in one.files))


# Mistakes


def changed(content, layout, layer, part, value):
    """A copy of a file's content with another entry of a layer; None takes it out."""
    names_of = {"codes": ("codes_matrix", "assignments"), "book": ("codebook", "centroids")}
    part = names_of[part][layout == BITS] if part in names_of else part
    content = copy.deepcopy(content)
    home, key = (content, f"{layer}.{part}") if layout == PQF else (content[layer], part)
    if value is None:
        del home[key]
    else:
        home[key] = value(home.get(key))
    return content


LAYER = "layer2.0.conv1"

MISTAKES = [
    ("codes", lambda codes: codes + 40, "code 79 is out of range: its codebook has 40 rows"),
    ("codes", lambda codes: codes.to(torch.int32) - 1, "code -1 is out of range"),
    ("codes", lambda codes: codes.to(torch.int16) - 1, "code 65535 is out of range"),
    ("codes", lambda codes: codes.float(), "its codes are torch.float32, not whole numbers"),
    ("codes", lambda codes: codes[None], "its codes have the shape"),
    ("codes", None, "it has no (codes_matrix|assignments)"),
    ("book", None, "it has no (codebook|centroids)"),
    ("book", lambda book: book[:, :2], r"blocks of 2 numbers for each output channel do not make"),
    ("book", lambda book: book[0], "its codebook is float32 of shape .*, not rows of"),
    ("book", lambda book: book.long(), "its codebook is int64 of shape .*, not rows of"),
    ("weight", lambda _: torch.zeros(2), "its weight is there twice, plain and quantised"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("part, value, words", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_layer(tmp_path, small, layout, part, value, words):
    content, _ = made(small, layout)
    wrong = changed(content, layout, LAYER, part, value)
    with pytest.raises(dr.InputError, match=words) as caught:
        opened(wrong, tmp_path / "w.pth")
    said = str(caught.value)
    assert f"{tmp_path / 'w.pth'} cannot be decoded: layer {LAYER}: " in said and "\n" not in said


@pytest.mark.parametrize(
    "value, words",
    [
        (None, "it has no n_blocks"),
        (lambda _: 7, "which 7 blocks cannot share"),
        (lambda _: 0, "which 0 blocks cannot share"),
        (lambda _: 2, "2 blocks of 9 numbers for each output channel do not make"),
        (lambda _: "three", "it has no n_blocks"),
        (lambda _: torch.tensor([1, 2]), "which 0 blocks cannot share"),
    ],
)
def test_numbers_of_blocks_that_do_not_fit(tmp_path, small, value, words):
    content, _ = made(small, BITS)
    with pytest.raises(dr.InputError, match=f"layer {LAYER}: .*{words}"):
        opened(changed(content, BITS, LAYER, "n_blocks", value), tmp_path / "w.pth")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layers_that_do_not_fit_the_architecture(tmp_path, small, layout):
    content, _ = made(small, layout)
    layers = [name for name, one in small.named_modules() if isinstance(one, torch.nn.Conv2d)]
    fewer = changed(content, layout, LAYER, "codes", lambda codes: codes[: len(codes) // 2])
    with pytest.raises(dr.InputError, match=rf"1 of another shape .{LAYER}.weight"):
        opened(fewer, tmp_path / "w.pth")
    without = {name: one for name, one in content.items() if not name.startswith(layers[0])}
    with pytest.raises(dr.InputError, match=f"1 missing .{layers[0]}.weight"):
        opened(without, tmp_path / "w.pth")
    extra = {name.replace(LAYER, "layer9.0.conv1"): one for name, one in content.items()}
    with pytest.raises(dr.InputError, match="layer layer9.0.conv1: the architecture has no such"):
        opened(extra, tmp_path / "w.pth")
    with pytest.raises(dr.InputError, match="it holds codes_matrix, .*of one layout"):
        quantised.decoded(
            {
                "fc.codes_matrix": torch.zeros(1, 1).long(),
                "fc.codebook": torch.zeros(1, 1),
                "fc.centroids": torch.zeros(1, 1),
            },
            {"fc.weight": torch.zeros(1, 1)},
            "w",
        )


def test_entries_that_are_no_layers(tmp_path, small):
    content, _ = made(small, BITS)
    with pytest.raises(dr.InputError, match="layer epoch: it is a int, not a dictionary"):
        opened({**content, "epoch": 3}, tmp_path / "w.pth")
    twice = {**content, "fc": {**content["fc"], "bias": torch.zeros(8)}}
    with pytest.raises(dr.InputError, match=r"layer fc(_bias)?: fc.bias is there twice"):
        opened(twice, tmp_path / "w.pth")


class Evil:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_never_run(tmp_path, small, layout, zipped, capsys):
    content, _ = made(small, layout)
    hostile = (
        {**content, "evil": Evil()}
        if layout == PQF
        else changed(content, BITS, LAYER, "k", lambda _: Evil())
    )
    path = tmp_path / "w.pth"
    torch.save(hostile, path, _use_new_zipfile_serialization=zipped)
    for call in (weightfiles.read, lambda path: dr.net(f"{TAG}@{path}")):
        with pytest.raises(dr.InputError, match="holds an object of .*print.*refused"):
            call(path)
    assert "unpickled" not in capsys.readouterr().out


# As assets


NAMES = [name for name in names.published() if ".pqf_" in name or ".kill_the_bits_" in name]


def test_all_of_them_are_registered():
    assert sorted(NAMES) == [
        "resnet18.kill_the_bits_large",
        "resnet18.kill_the_bits_small",
        "resnet18.pqf_large",
        "resnet18.pqf_small",
        "resnet50.kill_the_bits_large",
        "resnet50.kill_the_bits_small",
        "resnet50.pqf_large",
    ]
    for name in NAMES:
        one = assets.asset(name)
        first = one.files[0]
        assert one.about["architecture"] == f"{name.partition('.')[0]}.tv_in1k"
        assert 60 < one.about["top1"] < 75 and one.least_bytes < 6e6
        assert "on-Commercial" in one.license or "CC BY-NC" in one.license
        assert all(url.endswith(first.name) for url in first.urls) and len(first.urls) > 1
        # what is not known is not made up
        assert len(first.expected.sha256) == (0 if name == "resnet50.kill_the_bits_small" else 64)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_is_fetched_checked_and_decoded(server, tmp_path, monkeypatch, small, layout, capsys):
    content, plain = made(small, layout)
    torch.save(content, tmp_path / "w.pth")
    body = (tmp_path / "w.pth").read_bytes()
    server.bodies["/large.pth"] = body
    server.plans["/large.pth"] = ["cut"]  # the download resumes
    entry = {
        "architecture": TAG,
        "loss": "standard, then quantised",
        "upstream": "ImageNet-1k",
        "top1": 72.18,
        "file": "large.pth",
        "urls": [f"{server.url}/gone.pth", f"{server.url}/large.pth"],
        "sha256": sha(body),
        "source": "here, compressed, restored",
        "license": "none",
    }
    one = assets._asset("weights", "small.pqf_large", entry)
    monkeypatch.setattr(assets, "manifest", lambda: {one.name: one})
    assert main(["assets", "fetch", one.name]) == 0
    assert one.name in capsys.readouterr().out
    network = dr.net(one.name, fetching=False)
    ours = network.module.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in plain.items())
    assert network.origin.top1 == pytest.approx(0.7218) and sha(body) in network.fingerprint
    path = one.path(one.files[0])
    path.write_bytes(body[:-1] + b"x")
    with pytest.raises(dr.InputError, match="sha256"):
        dr.net(one.name, fetching=False)


def test_restored_copies_are_known_by_their_hash(real):
    """The copies at hand are those that the manifest names, and load as what they are."""
    for name, file in (
        ("resnet50.pqf_large", "resnet50_imagenet1k.safetensors"),
        ("resnet18.kill_the_bits_small", "resnet18_imagenet1k.safetensors"),
    ):
        one = assets.asset(name)
        assert one.files[1].name == file and not one.files[1].urls
        assert one.files[1].expected.problem(real / file) == ""
