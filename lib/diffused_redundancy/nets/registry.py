"""Networks by name: the miniature zoo, published networks, any timm tag, weights in local files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.functional import pad

from ..errors import InputError, unknown
from ..store import assets, paths, sha256_of
from ..store.assets import Asset, File
from ..store.download import Expected
from . import checkpoints, quantised, weightfiles
from .names import check, check_architecture, published
from .networks import Net, Origin, Preprocessing
from .published import PUBLISHED
from .upstream import MEAN, STD
from .zoo import ZOO

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's pixels, for published networks that timm does not know."""


def net(name: str, *, fetching: bool = True) -> Net:
    """The network of a name.

    Parameters
    ----------
    name : str
        A network of the miniature zoo (:data:`ZOO`); a published one of ``data/assets.toml``; a tag
        of timm, such as ``convnext_tiny.fb_in22k``; or ``TAG@PATH`` for weights in a local file.
    fetching : bool
        Whether to download weights that are not here.

    Returns
    -------
    Net

    Raises
    ------
    InputError
        If the name is unknown (with the nearest one), the weights are missing or cannot be used, or
        their keys do not match.

    Examples
    --------
    >>> import diffused_redundancy as dr
    >>> network = dr.net("miniature_resnet.mrl_s1")
    >>> network.d, network.origin.loss
    (512, 'MRL')
    """
    tag, at, path = str(name).partition("@")
    if at:
        return _local(tag, paths.of_user(path).resolve())
    if name in ZOO:
        return _zoo(name)
    if name in published():
        return _published(published()[name], fetching)
    check(name)
    return _timm(name, fetching)


def weights_of(name: str) -> Asset | None:
    """The asset a network's weights come from; None for the zoo and local files."""
    if name in ZOO or "@" in name:
        return None
    return published()[name] if name in published() else _tag_asset(name)


def architecture(name: str) -> str:
    """The timm tag, or the name in :data:`PUBLISHED`, of a network that is not of the zoo."""
    tag = name.partition("@")[0]
    return str(published()[tag].about["architecture"]) if tag in published() else tag


def _zoo(name: str) -> Net:
    about = checkpoints.manifest(name)
    plan = about["recipe"]
    path = checkpoints.folder() / about["file"]

    def load() -> nn.Module:
        from .architectures import build

        module = build(plan["architecture"], about["classes"], plan["features"], seed=plan["seed"])
        return weightfiles.load_into(module, weightfiles.read(path, about["sha256"]), str(path))

    recipe = ZOO[name]
    strengths = [value for value in recipe.loss_options.values() if isinstance(value, float)]
    origin = Origin(
        family=recipe.architecture,
        loss=recipe.loss_label,
        upstream=recipe.upstream_label,
        seed=recipe.seed,
        strength=strengths[0] if strengths else None,
        top1=about["top1"],
        robust_top1=about.get("robust_top1", {}),
        top1_by_prefix={int(k): value for k, value in about.get("top1_by_prefix", {}).items()},
        images=recipe.images,
        speed=about["features_per_second"],
    )
    source = (
        f"pre-trained here ({recipe.loss_label} loss, seed {recipe.seed}, "
        f"{recipe.upstream_label}, upstream top-1 {about['top1']:.1%})"
    )
    fingerprint = f"{plan['architecture']}:{plan['features']}:{about['sha256']}"
    return Net(
        name,
        plan["features"],
        Preprocessing(32, MEAN, STD),
        fingerprint,
        source,
        about["license"],
        origin,
        load,
    )


def _config(tag: str) -> Any:
    """timm's notes on the weights of a tag; None for an architecture it does not have."""
    import timm

    if tag in PUBLISHED:
        return None
    try:
        config = timm.get_pretrained_cfg(tag, allow_unregistered=True)
    except RuntimeError as error:
        base = tag.split(".")[0]
        tags = timm.list_models(f"{base}.*", pretrained=True)
        if not tags:
            raise InputError(
                f"unknown timm tag {tag!r}: timm has no weights of {base}; for those of a file "
                f"write {base}@PATH"
            ) from error
        raise unknown("timm tag", tag, tags) from error
    if config is None:
        raise InputError(
            f"timm has no weights of {tag!r}: give the full tag, such as resnet18.tv_in1k"
        )
    return config


def preprocessing_of(tag: str, *, own: bool) -> Preprocessing:
    """The preprocessing of a tag: as timm evaluates it (``own``), or the paper's resize and crop.

    Raises
    ------
    InputError
        If its images are not square, or cropped in a way that is not supported.
    """
    config = _config(tag)
    if config is None:
        return Preprocessing(224, *IMAGENET)
    from timm.data import resolve_data_config

    timms = resolve_data_config({}, pretrained_cfg=config.to_dict())
    height, width = timms["input_size"][1:]
    if height != width:
        raise InputError(
            f"{tag} takes images of {height} x {width}: only square ones are supported"
        )
    mean, std = (tuple(float(value) for value in timms[key]) for key in ("mean", "std"))
    if not own:
        return Preprocessing(height, mean, std)  # type: ignore[arg-type]
    crop, interpolation = timms["crop_mode"], timms["interpolation"]
    if crop not in ("center", "squash"):
        raise InputError(
            f"{tag} is evaluated with crop mode {crop!r}: only 'center' and 'squash' are supported"
        )
    if interpolation not in ("bilinear", "bicubic"):
        interpolation = "bicubic"
    resize = int(height / timms["crop_pct"])
    resize = 0 if resize == height else resize
    return Preprocessing(height, mean, std, resize, interpolation, crop == "squash")  # type: ignore[arg-type]


def skeleton(tag: str, classes: int | None = None) -> nn.Module:
    """The architecture of a tag without weights, on the meta device.

    By default it has as many classes as its weights.
    """
    import torch

    with torch.device("meta"):
        return _made(tag, _classes(tag) if classes is None else classes)


def _classes(tag: str) -> int:
    config = _config(tag)
    return 1000 if config is None else int(config.num_classes)


def _made(tag: str, classes: int) -> nn.Module:
    import timm

    return (
        PUBLISHED[tag](num_classes=classes)
        if tag in PUBLISHED
        else timm.create_model(tag, pretrained=False, num_classes=classes)
    )


def _classifier(tag: str) -> str:
    config = _config(tag)
    name = "fc" if config is None else config.classifier or "fc"
    return name if isinstance(name, str) else name[0]


def with_weights(tag: str, state: Mapping[str, Any], source: str) -> nn.Module:
    """An architecture with a state dict of any of the known layouts, whose keys must match exactly.

    Quantised weights are decoded.

    The head has as many classes as the file's, or none if the file has none.
    """
    if tag.startswith("vgg"):
        state = weightfiles.vgg_layout(state)
    wanted = skeleton(tag).state_dict()
    state = weightfiles.unwrapped(weightfiles.nested_head(state), wanted)
    state = quantised.decoded(state, wanted, source)
    key = f"{_classifier(tag)}.weight"
    head = state.get(key)
    net = _made(tag, 0 if head is None else len(head))
    if head is not None and tag == "resnet50_blurpool" and head.ndim == 2:
        # the head of a fixed-feature baseline sees the first k features
        absent = net.state_dict()[key].shape[1] - head.shape[1]
        state[key] = pad(head, (0, max(absent, 0)))
    return weightfiles.load_into(net, state, source)


def _width(tag: str) -> int:
    shape: Any = skeleton(tag, 0)
    return int(shape.head_hidden_size)


def _local(tag: str, path: Path) -> Net:
    """An architecture with the weights of a local file.

    The name of a published network stands for its architecture and normalisation.
    """
    if not os.path.isfile(path):
        raise InputError(f"no weight file {path}")
    name, asset, tag = f"{tag}@{path}", published().get(tag), architecture(tag)
    check_architecture(tag)
    if asset is not None:
        how = _preprocessing(asset)
    else:
        how = preprocessing_of(tag, own=tag not in PUBLISHED)
    entry = weightfiles.entry(path)
    return Net(
        name,
        _width(tag),
        how,
        f"{tag}:{sha256_of(path)}",
        f"{path} ({entry})" if entry else str(path),
        "of its source",
        Origin(tag.split(".")[0]),
        lambda: with_weights(tag, weightfiles.read(path), str(path)),
    )


def _preprocessing(asset: Asset) -> Preprocessing:
    """The paper's resize and crop for a published network, with the normalisation of its source."""
    how = preprocessing_of(asset.about["architecture"], own=False)
    if "mean" not in asset.about:
        return how
    return Preprocessing(how.size, tuple(asset.about["mean"]), tuple(asset.about["std"]))


def _published(asset: Asset, fetching: bool) -> Net:
    """A network of the manifest."""
    path = assets.require(asset, fetching=fetching)[0]
    about = asset.about
    tag = about["architecture"]
    origin = Origin(
        family=about.get("family", tag.split(".")[0]),
        loss=about["loss"],
        upstream=about["upstream"],
        strength=about.get("strength"),
        top1=about["top1"] / 100 if "top1" in about else None,  # the manifest has percent
        images=about.get("images"),
        copy_of=about.get("copy_of", ""),
    )
    return Net(
        asset.name,
        _width(tag),
        _preprocessing(asset),
        f"{tag}:{assets.sha256(path)}",
        asset.source,
        asset.license,
        origin,
        lambda: with_weights(tag, weightfiles.read(path), asset.name),
    )


def _tag_asset(tag: str) -> Asset:
    """The weights of a timm tag as an asset: from the hub, or from the url timm notes."""
    config = _config(tag)
    full = f"{config.architecture}.{config.tag}" if config.tag else config.architecture
    url = config.url or ""
    prefix = re.search(r"-([0-9a-f]{8})\.", url)
    if config.hf_hub_id:
        name = config.hf_hub_filename or "model.safetensors"
        repository = config.hf_hub_id + (full if config.hf_hub_id.endswith("/") else "")
        file = File(name, (f"hf://{repository}/{name}",), Expected())
    elif url:
        file = File(url.rpartition("/")[2], (url,), Expected(sha256=prefix[1] if prefix else ""))
    else:
        raise InputError(
            f"timm gives no link to the weights of {tag!r}: load them from a file with {tag}@PATH"
        )
    source = config.origin_url or "https://github.com/huggingface/pytorch-image-models"
    return Asset(
        full,
        "weights",
        f"weights/{full}",
        (file,),
        source,
        config.license or "not stated",
        about={"architecture": full},
    )


def _timm(tag: str, fetching: bool) -> Net:
    """Weights that timm knows, loaded by timm with its conversions."""
    import timm

    asset = _tag_asset(tag)
    path = assets.require(asset, fetching=fetching)[0]

    def load() -> nn.Module:
        state = weightfiles.read(path)
        with weightfiles.exactly(str(path)):
            return timm.create_model(
                asset.name,
                pretrained=True,
                pretrained_cfg_overlay={"state_dict": state, "custom_load": False},
            )

    return Net(
        asset.name,
        _width(tag),
        preprocessing_of(tag, own=True),
        f"timm:{asset.name}:{assets.sha256(path)}",
        asset.source,
        asset.license,
        Origin(asset.name.split(".")[0], loss=asset.name, upstream="of its tag"),
        load,
    )
