"""Weight files in the true formats of their publishers, written here: each loads, gives the outputs
of an independent network, or is refused.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
import timm
import torch
import torchvision
from diffused_redundancy.nets import names, preprocess, registry, weightfiles
from diffused_redundancy.store import assets, paths
from diffused_redundancy.store.download import Expected
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from webserver import Server

IMAGES = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


@functools.cache
def unhashed():
    """The manifest without hashes and sizes: files written here have others."""
    known = assets.read_manifest(paths.data() / "assets.toml")
    return {
        name: replace(one, files=tuple(replace(file, expected=Expected()) for file in one.files))
        for name, one in known.items()
    }


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr(assets, "manifest", unhashed)
    return tmp_path / "assets"


@functools.cache
def original(name: str, **options) -> nn.Module:
    """A torchvision network with weights and batch statistics that are not those of a fresh one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = getattr(torchvision.models, name)(weights=None, **options)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
    return net.eval()


@torch.inference_mode()
def same_outputs(ours: nn.Module, theirs: nn.Module) -> bool:
    return torch.allclose(ours(IMAGES), theirs(IMAGES), rtol=1e-3, atol=1e-4)


def put(name: str, content, which: int = 0) -> None:
    """A file where an asset belongs."""
    one = assets.asset(name)
    path = one.path(one.files[which])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    torch.save(content, path)


def robust(state, level="module.model."):
    """As MadryLab's training script saves: the network twice, the second time inside the attacker,
    with two normalisers and the optimizer.
    """
    model = {
        "module.normalizer.new_mean": torch.zeros(3, 1, 1),
        "module.normalizer.new_std": torch.ones(3, 1, 1),
    }
    model |= {level + key: value for key, value in state.items()}
    model |= {
        "module.attacker.normalize.new_mean": torch.zeros(3, 1, 1),
        "module.attacker.normalize.new_std": torch.ones(3, 1, 1),
    }
    model |= {
        level.replace("module.", "module.attacker.", 1) + key: value for key, value in state.items()
    }
    optimizer = {
        "state": {0: {"momentum_buffer": torch.zeros(3)}},
        "param_groups": [{"lr": 0.1, "params": [0]}],
    }
    return {
        "model": model,
        "optimizer": optimizer,
        "schedule": None,
        "epoch": 90,
        "amp": None,
        "nat_prec1": np.float64(53.1),
    }


def test_a_robust_checkpoint():
    theirs = original("resnet18")
    put("resnet18.robust_l2_3", robust(theirs.state_dict()))
    network = dr.net("resnet18.robust_l2_3", fetching=False)
    assert same_outputs(network.module, theirs)
    assert network.d == 512 and network.origin.loss == "adversarial L2 3"
    assert network.origin.strength == 3.0 and network.origin.top1 == pytest.approx(0.5312)
    assert str(network.preprocessing).startswith(
        "shorter side to 224 px (bilinear), centre crop, mean (0.485"
    )
    assert network.license == "MIT"


@pytest.mark.slow
@pytest.mark.parametrize("level", ["module.model.", "module.model.model."])
def test_a_robust_vgg_with_one_or_two_wrappers(level):
    theirs = original("vgg16_bn")
    put(
        "vgg16_bn.robust_l2_3",
        {"model": {level + key: value for key, value in theirs.state_dict().items()}},
    )
    network = dr.net("vgg16_bn.robust_l2_3", fetching=False)
    assert network.d == 4096 and same_outputs(network.module, theirs)
    with torch.inference_mode():
        ours = dr.forward(network.module, IMAGES)["penultimate"]
        hidden = theirs.classifier[:6](torch.flatten(theirs.avgpool(theirs.features(IMAGES)), 1))
    assert torch.allclose(ours, hidden, rtol=1e-3, atol=1e-4)


class Blurred(nn.Module):
    """MRL's blurred convolution, in plain code."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv
        self.register_buffer(
            "blur_filter",
            torch.tensor([[[[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]]]).repeat(conv.in_channels, 1, 1, 1)
            / 16,
        )

    def forward(self, x):
        return self.conv(
            nn.functional.conv2d(x, self.blur_filter, padding=1, groups=self.conv.in_channels)
        )


@functools.cache
def blurred() -> nn.Module:
    import copy

    net = copy.deepcopy(original("resnet50"))
    for stage in (net.layer2, net.layer3, net.layer4):
        stage[0].conv2, stage[0].downsample[0] = (
            Blurred(stage[0].conv2),
            Blurred(stage[0].downsample[0]),
        )
    return net.eval()


@pytest.mark.parametrize("kind", ["mrl", "mrl_e", "mrl_e_old", "ff_16"])
def test_matryoshka_checkpoints(kind):
    theirs = blurred()
    state = {
        f"module.{key}": value
        for key, value in theirs.state_dict().items()
        if not key.startswith("fc.")
    }
    weight, bias = theirs.fc.weight.detach(), theirs.fc.bias.detach()
    if kind == "mrl":
        sizes = [2 ** (3 + i) for i in range(9)]
        heads = {
            f"module.fc.nesting_classifier_{i}.weight": torch.randn(1000, k) if k < 2048 else weight
            for i, k in enumerate(sizes)
        }
        heads |= {
            f"module.fc.nesting_classifier_{i}.bias": torch.randn(1000) if k < 2048 else bias
            for i, k in enumerate(sizes)
        }
    elif kind == "mrl_e":
        heads = {
            "module.fc.nesting_classifier_0.weight": weight,
            "module.fc.nesting_classifier_0.bias": bias,
        }
    else:
        heads = {
            "module.fc.weight": weight if kind == "mrl_e_old" else weight[:, :16].clone(),
            "module.fc.bias": bias,
        }
    name = f"resnet50.{kind.removesuffix('_old')}"
    put(name, {**state, **heads})
    network = dr.net(name, fetching=False)
    with torch.inference_mode():
        theirs_features = nn.Sequential(*list(theirs.children())[:-1])(IMAGES).flatten(1)
        ours = dr.forward(network.module, IMAGES)["penultimate"]
        logits = (
            theirs_features[:, :16] @ weight[:, :16].T + bias
            if kind == "ff_16"
            else theirs.fc(theirs_features)
        )
        assert torch.allclose(ours, theirs_features, rtol=1e-3, atol=1e-4)
        assert torch.allclose(network.module(IMAGES), logits, rtol=1e-3, atol=1e-4)
    assert network.d == 2048 and network.origin.family == "resnet50"


def augreg_arrays(net) -> dict[str, np.ndarray]:
    """A timm vision transformer under the names, and in the shapes, of the JAX release."""
    state = {key: value.detach().numpy() for key, value in net.state_dict().items()}
    d, heads = net.embed_dim, net.blocks[0].attn.num_heads
    out = {
        "cls": state["cls_token"],
        "embedding/kernel": state["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": state["patch_embed.proj.bias"],
        "Transformer/posembed_input/pos_embedding": state["pos_embed"],
        "Transformer/encoder_norm/scale": state["norm.weight"],
        "Transformer/encoder_norm/bias": state["norm.bias"],
        "head/kernel": state["head.weight"].T,
        "head/bias": state["head.bias"],
    }
    for i in range(len(net.blocks)):
        ours, theirs = f"blocks.{i}.", f"Transformer/encoderblock_{i}/"
        for mine, yours in (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2")):
            out |= {
                f"{theirs}{yours}/scale": state[f"{ours}{mine}.weight"],
                f"{theirs}{yours}/bias": state[f"{ours}{mine}.bias"],
            }
        for mine, yours in (("mlp.fc1", "MlpBlock_3/Dense_0"), ("mlp.fc2", "MlpBlock_3/Dense_1")):
            out |= {
                f"{theirs}{yours}/kernel": state[f"{ours}{mine}.weight"].T,
                f"{theirs}{yours}/bias": state[f"{ours}{mine}.bias"],
            }
        weights, biases = (
            np.split(state[f"{ours}attn.qkv.weight"], 3),
            np.split(state[f"{ours}attn.qkv.bias"], 3),
        )
        for which, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            home = f"{theirs}MultiHeadDotProductAttention_1/{which}/"
            out |= {
                home + "kernel": weight.T.reshape(d, heads, d // heads),
                home + "bias": bias.reshape(heads, d // heads),
            }
        home = f"{theirs}MultiHeadDotProductAttention_1/out/"
        out |= {
            home + "kernel": state[f"{ours}attn.proj.weight"].T.reshape(heads, d // heads, d),
            home + "bias": state[f"{ours}attn.proj.bias"],
        }
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, classes",
    [
        ("vit_small_patch32_224.augreg_light1_in1k", 1000),
        ("vit_small_patch16_224.augreg_light1_in21k", 21843),
    ],
)
def test_augreg_transformers_load_as_timm_loads_them(name, classes):
    one = assets.asset(name)
    source = timm.create_model(one.about["architecture"], num_classes=classes)
    for parameter in source.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    path = one.path(one.files[0])
    path.parent.mkdir(parents=True)
    np.savez(path, **augreg_arrays(source))
    network = dr.net(name, fetching=False)
    theirs = timm.create_model(one.about["architecture"], num_classes=classes)
    theirs.load_pretrained(str(path))
    ours = network.module.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in theirs.state_dict().items())
    assert all(torch.equal(ours[key], value) for key, value in source.state_dict().items())
    assert network.d == 384 and network.preprocessing.mean == (
        (0.5, 0.5, 0.5) if "in21k" in name else (0.485, 0.456, 0.406)
    )  # the paper's
    with torch.inference_mode():
        features = dr.forward(network.module, IMAGES)["penultimate"]
        assert torch.allclose(
            features, source.eval().forward_features(IMAGES)[:, 0], atol=1e-4
        )  # the normalised class token
    np.savez(path, **augreg_arrays(source), **{"pre_logits/kernel": np.zeros((3, 3))})
    with pytest.raises(dr.InputError, match="1 unexpected .pre_logits/kernel"):
        _ = dr.net(name, fetching=False).module


def test_the_authors_lightning_checkpoints():
    theirs = original("resnet50")
    state = {f"model.{key}": value for key, value in theirs.state_dict().items()}
    state |= {
        "normalizer.new_mean": torch.zeros(3, 1, 1),
        "normalizer.new_std": torch.ones(3, 1, 1),
    }
    held = {
        "epoch": 79,
        "global_step": 5,
        "pytorch-lightning_version": "1.5.10",
        "state_dict": state,
        "callbacks": {},
        "optimizer_states": [{}],
    }
    put("resnet50.dropout_0.5", {**held, "hyper_parameters": {"lr": np.float32(0.1)}})
    network = dr.net("resnet50.dropout_0.5", fetching=False)
    assert same_outputs(network.module, theirs) and network.origin.strength == 0.5
    put("resnet50.decov_1e-4", {**held, "hyper_parameters": Evil()})
    with pytest.raises(dr.InputError, match="holds an object of .*print.*refused"):
        _ = dr.net("resnet50.decov_1e-4", fetching=False).module


class Evil:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "safetensors", "ckpt"])
@pytest.mark.parametrize("old", [False, True])
def test_local_files(tmp_path, suffix, old):
    theirs = original("resnet18", num_classes=7)
    state = {
        key: value
        for key, value in theirs.state_dict().items()
        if not (old and key.endswith("num_batches_tracked"))
    }
    path = tmp_path / f"w.{suffix}"
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3} if old else state, path)
    network = dr.net(f"resnet18.tv_in1k@{path}")
    assert same_outputs(network.module, theirs) and network.module.num_classes == 7


def test_a_file_without_a_head(tmp_path):
    theirs = original("resnet18")
    path = tmp_path / "backbone.pth"
    torch.save(
        {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")},
        path,
    )
    network = dr.net(f"resnet18@{path}")
    with torch.inference_mode():
        features = dr.forward(network.module, IMAGES)["penultimate"]
        assert torch.allclose(
            features,
            nn.Sequential(*list(theirs.children())[:-1])(IMAGES).flatten(1),
            rtol=1e-3,
            atol=1e-4,
        )


@pytest.mark.parametrize(
    "change, words",
    [
        ("less", "1 missing .layer1.0.conv1.weight"),
        ("more", "1 unexpected .head.extra"),
        ("other", "1 of another"),
    ],
)
def test_half_a_network_is_not_loaded(tmp_path, change, words):
    state = dict(original("resnet18").state_dict())
    if change == "less":
        del state["layer1.0.conv1.weight"]
    elif change == "more":
        state["head.extra"] = torch.zeros(1)
    else:
        state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "w.pth")
    with pytest.raises(dr.InputError, match=words):
        _ = dr.net(f"resnet18.tv_in1k@{tmp_path / 'w.pth'}").module


def test_files_that_are_no_weights(tmp_path):
    torch.save({1: torch.ones(2)}, tmp_path / "keys.pt")
    np.savez(tmp_path / "words.npz", a=np.array(["one", "two"]))
    (tmp_path / "junk.tar").write_bytes(b"x" * 600)
    for name in ("keys.pt", "words.npz", "junk.tar"):
        with pytest.raises(dr.InputError, match="cannot be read|is not a state dict"):
            weightfiles.read(tmp_path / name)
    save_file({"w": torch.ones(2)}, tmp_path / "W.SAFETENSORS")
    assert list(weightfiles.read(tmp_path / "W.SAFETENSORS")) == ["w"]
    good = tmp_path / "a.pth"
    torch.save({"w": torch.ones(1000)}, good)
    good.write_bytes(good.read_bytes()[:300])
    with pytest.raises(dr.InputError, match="cannot be read"):
        weightfiles.read(good)
    torch.save([1, 2], good)
    with pytest.raises(dr.InputError, match="is not a state dict"):
        weightfiles.read(good)
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(dr.InputError, match="cannot be read"):
        weightfiles.read(tmp_path / "a.npz")
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(dr.InputError, match=r"not '.h5'"):
        weightfiles.read(tmp_path / "a.h5")


WIDTHS = {
    "resnet18": 512,
    "resnet50": 2048,
    "wide_resnet50_2": 2048,
    "wide_resnet50_4": 2048,
    "vgg16_bn": 4096,
}


@pytest.mark.parametrize("name", names.published())
def test_every_published_network_has_an_architecture(name):
    one = names.published()[name]
    shape = registry.skeleton(one.about["architecture"], 10)
    assert shape.head_hidden_size == WIDTHS.get(name.split(".")[0], 384)
    assert one.about["loss"] and one.about["upstream"] and one.license and one.source
    assert one.files[0].urls or one.by_hand
    # a file without a link is known by its hash
    plain = assets.read_manifest(paths.data() / "assets.toml")[name]
    assert all(file.urls or one.by_hand or file.expected.sha256 for file in plain.files)
    assert "." in name and name.split(".")[0] != name  # never a bare architecture


def test_wide_resnet50_4_has_the_parameters_of_the_published_one():
    assert sum(p.numel() for p in registry.skeleton("wide_resnet50_4").parameters()) == 223_439_144


# timm's tags


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *given: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    made = Server()
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    yield made
    made.stop()


@pytest.mark.parametrize(
    "tag, layer, width",
    [
        ("mobilenetv3_small_050.lamb_in1k", "blocks.2", 24),
        ("vit_tiny_patch16_224.augreg_in21k", "blocks.3", 192),
    ],
)
def test_any_tag_of_timm(hub, tmp_path, tag, layer, width):
    theirs = timm.create_model(tag, pretrained=False).eval()
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    hub.bodies[f"/timm/{tag}/resolve/main/model.safetensors"] = (
        tmp_path / "w.safetensors"
    ).read_bytes()
    hub.plans[f"/signed/timm/{tag}/resolve/main/model.safetensors"] = ["cut"]
    names.check(tag)
    network = dr.net(tag)
    assert same_outputs(network.module, theirs)
    with torch.inference_mode():
        by_layer = dr.forward(network.module, IMAGES, ["penultimate", layer])
        seen = {}
        theirs.get_classifier().register_forward_pre_hook(
            lambda module, given: seen.update(head=given[0])
        )
        theirs(IMAGES)
        assert torch.equal(by_layer["penultimate"], seen["head"])  # what the classifier is given
    assert by_layer["penultimate"].shape == (2, network.d) and by_layer[layer].shape == (2, width)
    own = timm.data.resolve_model_data_config(theirs)
    assert (
        network.preprocessing.interpolation == own["interpolation"]
        and network.preprocessing.mean == own["mean"]
    )
    image = Image.fromarray(
        np.random.default_rng(0)
        .integers(0, 256, (150, 200, 3), dtype=np.uint8)
        .repeat(2, 0)
        .repeat(2, 1)
    )
    ours = preprocess.prepare([np.asarray(image)], network.preprocessing, torch.device("cpu"))[0]
    assert (ours - timm.data.create_transform(**own, is_training=False)(image)).abs().mean() < 0.01
    assert dr.net(tag, fetching=False).fingerprint == network.fingerprint


@pytest.mark.parametrize(
    "change, words", [("missing", "keys 4 missing .level3"), ("extra", "1 unexpected .surplus")]
)
def test_a_tag_whose_weights_do_not_fit(change, words):
    """timm loads this family with ``strict=False``: a third of it could be missing."""
    one = registry.weights_of("dla34.in1k")
    state = timm.create_model("dla34.in1k", pretrained=False).state_dict()
    lost = [
        key for key in state if key.startswith("level3") and not key.endswith("num_batches_tracked")
    ][:4]
    changed = (
        {key: value for key, value in state.items() if key not in lost}
        if change == "missing"
        else {**state, "surplus": torch.zeros(1)}
    )
    path = one.path(one.files[0])
    path.parent.mkdir(parents=True)
    save_file(changed, path) if path.suffix == ".safetensors" else torch.save(changed, path)
    with pytest.raises(dr.InputError, match=words):
        _ = dr.net("dla34.in1k", fetching=False).module


def test_a_weight_held_twice_is_refused(tmp_path):
    state = original("resnet18").state_dict()
    torch.save(
        {f"module.{key}": value for key, value in state.items()}
        | {"conv1.weight": torch.zeros(64, 3, 7, 7)},
        tmp_path / "w.pt",
    )
    with pytest.raises(
        dr.InputError, match=r"hold 'conv1.weight' twice, with the prefix 'module.' and without"
    ):
        _ = dr.net(f"resnet18.tv_in1k@{tmp_path / 'w.pt'}").module


def test_the_name_of_a_published_network_stands_for_its_architecture(tmp_path):
    theirs = original("resnet18")
    torch.save(robust(theirs.state_dict()), tmp_path / "robust.ckpt")
    network = dr.net(f"resnet18.robust_l2_3@{tmp_path / 'robust.ckpt'}")
    assert same_outputs(network.module, theirs) and network.origin.family == "resnet18"
    assert network.preprocessing == registry.preprocessing_of("resnet18.tv_in1k", own=False)


def test_a_tag_that_cannot_be_had(hub):
    with pytest.raises(
        dr.InputError, match=r"could not be downloaded: no link gave it: .*not on the hub.*By hand"
    ):
        dr.net("mobilenetv3_small_050.lamb_in1k")
    with pytest.raises(
        dr.InputError, match="weights mobilenetv3_small_050.lamb_in1k is not here: run"
    ):
        dr.net("mobilenetv3_small_050.lamb_in1k", fetching=False)
    with pytest.raises(
        dr.InputError,
        match="unknown network 'convnext_tiny.fb_in23k': did you mean 'convnext_tiny.fb_in22k'",
    ):
        dr.net("convnext_tiny.fb_in23k")


def test_patterns_reach_published_networks():
    assert names.expanded(["resnet50.ff_1*"]) == [
        "resnet50.ff_16",
        "resnet50.ff_128",
        "resnet50.ff_1024",
    ]
    assert names.expanded(["*.standard_s1"])[0] == "miniature_resnet.standard_s1"
    with pytest.raises(dr.InputError, match="no network matches 'nothing_"):
        names.expanded(["nothing_*"])


# Files of several networks


def states(count: int) -> list[dict[str, torch.Tensor]]:
    """State dicts of one small architecture, all different."""
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        made.append(timm.create_model("test_resnet.r160_in1k", pretrained=False).state_dict())
    return made


def named(path):
    return dr.net(f"test_resnet.r160_in1k@{path}")


def is_from(network: dr.Net, state) -> bool:
    return torch.equal(network.module.conv1[0].weight, state["conv1.0.weight"])


@pytest.mark.parametrize(
    "kept",
    [
        ("state_dict", "state_dict_ema"),
        ("model", "model_ema"),
        ("model_ema", "state_dict"),
        ("model", "state_dict_ema", "model_ema"),
        ("model", "state_dict"),
        ("model", "ema"),
        ("model", "teacher"),
    ],
)
def test_the_weights_that_timm_takes(tmp_path, kept):
    made = dict(zip(kept, states(len(kept)), strict=True))
    path = tmp_path / "w.pth"
    torch.save({**made, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}, path)
    theirs = timm.create_model("test_resnet.r160_in1k", pretrained=False)
    timm.models.load_checkpoint(theirs, str(path))
    network = named(path)
    taken = next(key for key in kept if is_from(network, made[key]))
    assert torch.equal(network.module.conv1[0].weight, theirs.conv1[0].weight)
    left = ", ".join(repr(key) for key in kept if key != taken)
    said = f"its entry {taken!r}, the first that timm takes; not taken: {left}"
    assert network.source == f"{path} ({said})"


def test_weights_under_other_keys(tmp_path):
    state, other = states(2)
    path = tmp_path / "w.pth"
    for held, said in (
        ({"model_ema": None, "model": state}, ""),
        ({"state_dict": state, "optimizer": {"state": {0: {"m": torch.ones(1)}}}}, ""),
        ({"model_state_dict": state, "criterion": {"w": torch.ones(2)}}, "'model_state_dict'; not"),
        ({"net": state, "critic": {str(i): torch.ones(9) for i in range(99)}}, "'net'; not taken"),
        ({"ema": state, "step": 3}, "'ema'"),
        ({"model_ema": state}, "'model_ema', the first that timm takes"),
        ({"teacher": state, "dino_loss": {"center": torch.ones(1)}}, "'teacher'; not taken: 'dino"),
        ({"model": state, "model_ema": {"shadow": [torch.ones(2)]}}, "not taken: 'model_ema'"),
        # torchvision's training script
        (
            {
                "model": other,
                "model_ema": {"n_averaged": torch.tensor(9)}
                | {f"module.{key}": value for key, value in state.items()},
            },
            "'model_ema', the first that timm takes; not taken: 'model'",
        ),
    ):
        path.unlink(missing_ok=True)
        torch.save(held, path)
        network = named(path)
        assert is_from(network, state), held.keys()
        assert said in network.source and (said or network.source == str(path)), network.source


@pytest.mark.parametrize(
    "kept", [("student", "teacher"), ("net", "net_ema"), ("model_state_dict", "ema_state_dict")]
)
def test_files_of_several_networks_are_refused(tmp_path, monkeypatch, kept):
    path = tmp_path / "w.pth"
    torch.save({**dict(zip(kept, states(2), strict=True)), "epoch": 3}, path)
    words = f"holds several networks, under '{kept[0]}', '{kept[1]}' .*, 'epoch'"
    with pytest.raises(dr.InputError, match=words) as caught:
        named(path)
    monkeypatch.chdir(tmp_path)
    exec(str(caught.value).partition("such as ")[2], {"torch": torch})  # what the error proposes
    assert is_from(named(tmp_path / f"w_{kept[0]}.pth"), states(1)[0])


def test_several_networks_under_prefixes_are_refused(tmp_path):
    one, two = states(2)
    held = {f"model.{key}": value for key, value in one.items()}
    held |= {f"ema_model.{key}": value for key, value in two.items()}
    torch.save({"state_dict": held}, tmp_path / "w.ckpt")
    with pytest.raises(dr.InputError, match="several networks, with the prefixes 'model.', 'ema_"):
        _ = named(tmp_path / "w.ckpt").module


def test_the_entries_of_a_file_without_a_network_are_named(tmp_path):
    torch.save({"weight_decay": 0.1, "history": [1.0]}, tmp_path / "w.pth")
    with pytest.raises(dr.InputError, match="; it holds 'weight_decay', 'history'$"):
        named(tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz"])
@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is empty: copy or download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "is a web page, not the weights"),
    ],
)
def test_files_that_stand_where_weights_should_be(tmp_path, suffix, content, words):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(dr.InputError, match=words):
        weightfiles.read(path)
    with pytest.raises(dr.InputError, match=words):
        named(path)  # before any work


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:timm/resnet18.a1_in1k",
        "hf_hub:timm/resnet18.a1_in1k",
        "timm/resnet18.a1_in1k",
        "https://huggingface.co/timm/resnet18.a1_in1k",
        "hf-hub:timm/resnet18.a1_in1k@w.pth",
    ],
)
def test_names_on_the_hub(name):
    for call in (names.check, dr.net) if "@" not in name else (names.check,):
        with pytest.raises(dr.InputError, match="a repository .*: write timm's tag, resnet18.a1_i"):
            call(name)


def test_repositories_that_are_not_timm_s():
    with pytest.raises(dr.InputError, match="is a repository on .*such as resnet18.a1_in1k"):
        names.check("hf-hub:someone/network")
    with pytest.raises(dr.InputError, match="'weights/a.pth' is a file: write TAG@"):
        names.check("weights/a.pth")


def test_an_unknown_tag_of_an_architecture_without_weights(tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "w.safetensors")
    with pytest.raises(dr.InputError, match="no weights of botnet50ts_256; for .* botnet50ts_256@"):
        dr.net(f"botnet50ts_256.zz@{tmp_path / 'w.safetensors'}")
    with pytest.raises(dr.InputError, match="unknown timm tag 'resnet18.zz'.*Allowed: resnet18.a1"):
        dr.net(f"resnet18.zz@{tmp_path / 'w.safetensors'}")
