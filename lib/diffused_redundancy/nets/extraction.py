"""Features of a task's images at a layer of a network: one pass, kept in the cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import cores, resolve_device
from ..errors import InputError, unknown
from ..measures.features import Features
from ..progress import progress
from ..store import Cache, code_digest, make_folder, paths, versions
from ..tasks import Split, Task
from ..tasks import task as named_task
from ..tasks.splits import ArrayImages
from .networks import PENULTIMATE, Net
from .preprocess import augmented, prepare
from .protocols import COMPUTE, Protocol, protocol
from .registry import net

CODE = (
    "nets.extraction",
    "nets.preprocess",
    "nets.protocols",
    "nets.networks",
    "nets.registry",
    "nets.weightfiles",
    "nets.quantised",
    "nets.published",
    "nets.architectures",
    "nets.upstream",
    "tasks",
)
"""The code that features depend on."""

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "matplotlib", "scikit-learn")
"""The packages they depend on: fonts and digits come with the last two."""

IN_MEMORY = 2 << 30
"""Bytes of features of one split and layer beyond which they go to a file instead of memory."""

LARGEST_BATCH = 2048
"""Images at a time tried on a GPU, at most."""

BLOCK = 1 << 14
"""Images of a block, which larger parts of a task are extracted by. A block that is done is kept
until all are, so that an interrupted pass goes on from there, and several processes or machines can
share one pass. A multiple of every usual batch: whether there are blocks makes no difference to
what is computed.
"""


@dataclass(frozen=True)
class Block:
    """Images ``start`` to ``stop`` of a part of a task, in one view of them (None: the clean
    one).
    """

    part: str
    view: int | None
    start: int
    stop: int


def forward(
    module: nn.Module, batch: Tensor, layers: Sequence[str] = (PENULTIMATE,)
) -> dict[str, Tensor]:
    """The features of one batch at some layers, each (n, d), from one forward pass.

    Parameters
    ----------
    module : nn.Module
        A timm model.
    batch : Tensor (n, 3, height, width)
    layers : sequence of str
        ``penultimate`` (what the head sees: pooled, or a ViT's normalised class token), or names of
        submodules, whose maps are averaged over positions.

    Returns
    -------
    dict from a layer to a Tensor (n, d)

    Raises
    ------
    InputError
        If the network has no such layer (with the nearest name), does not run it, or the layer
        gives neither rows, tokens nor maps.

    Examples
    --------
    >>> import torch
    >>> from diffused_redundancy.nets.architectures import build
    >>> module = build("miniature_resnet", num_classes=10, features=64, seed=0).eval()
    >>> by_layer = forward(module, torch.zeros(2, 3, 32, 32), ["penultimate", "layer2"])
    >>> {layer: tuple(X.shape) for layer, X in by_layer.items()}
    {'penultimate': (2, 64), 'layer2': (2, 128)}
    """
    modules = dict(module.named_modules())
    caught: dict[str, Tensor] = {}

    def catch(name: str) -> Callable[..., None]:
        # Averaged at once: what follows may write over a layer's output (ReLU and shortcuts often
        # do).
        return lambda _module, _inputs, output: caught.__setitem__(
            name, _pooled(module, name, output, len(batch))
        )

    for layer in layers:
        if layer != PENULTIMATE and (not layer or layer not in modules):
            raise unknown("layer", layer, [PENULTIMATE, *(name for name in modules if name)])
    hooks = [
        modules[layer].register_forward_hook(catch(layer))
        for layer in layers
        if layer != PENULTIMATE
    ]
    timm: Any = module
    try:
        penultimate = timm.forward_head(timm.forward_features(batch), pre_logits=True)
        if len(caught) < len(hooks):  # a layer of the head
            module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    for layer in layers:
        if layer != PENULTIMATE and layer not in caught:
            raise InputError(
                f"layer {layer!r} is not run by this network: name one that is, such as the end "
                "of a block"
            )
    return {
        layer: penultimate.flatten(1) if layer == PENULTIMATE else caught[layer] for layer in layers
    }


def _pooled(module: nn.Module, name: str, output: Any, images: int) -> Tensor:
    """What a layer gives, as one row per image: maps and tokens averaged over positions. A copy.

    Which axis of a map holds the channels is seen from the two that are alike, the height and the
    width of square images; where all three are alike, timm's note on the network decides.
    """
    if not isinstance(output, Tensor) or len(output) != images or output.ndim not in (2, 3, 4):
        kind = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"layer {name!r} gives {kind} for {images} images: name one that gives one map, "
            "one set of tokens, or one row for each"
        )
    if output.ndim == 4:
        first, second, third = output.shape[1:]
        if first != third and first != second and second != third:
            raise InputError(
                f"layer {name!r} gives maps of shape {tuple(output.shape[1:])}: it is "
                "not clear which axis holds the channels"
            )
        last = first == second != third or (
            first == second == third and getattr(module, "output_fmt", "NCHW") == "NHWC"
        )
        return output.mean((1, 2) if last else (2, 3))
    return output.mean(1) if output.ndim == 3 else output.clone()


def _images(split: Split, rows: range, workers: int) -> Iterator[np.ndarray]:
    """Some images, one at a time; files are decoded by worker processes, each at most a few images
    ahead.
    """
    if isinstance(split.images, ArrayImages) or workers == 0:
        for i in rows:
            yield split.images.batch(i, i + 1)[0]
        return
    from torch.utils.data import DataLoader, Subset

    decoded: Any = _Decoded(split)
    for image in DataLoader(
        Subset(decoded, rows),
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
    ):
        if isinstance(image, InputError):
            raise image
        yield image


def _unchanged(image: Any) -> Any:
    return image


@dataclass(frozen=True)
class _Decoded:
    """A split's images as a data set of torch."""

    split: Split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, i: int) -> np.ndarray | InputError:
        try:
            return self.split.images.batch(i, i + 1)[0]
        except InputError as error:  # raised here, torch would put a traceback before its line
            return error


def workers_for(split: Split, device: torch.device) -> int:
    """Processes that decode images: none for images in memory, or where the network needs the
    cores itself.
    """
    return (
        0
        if isinstance(split.images, ArrayImages) or device.type == "cpu" or len(split) < 1000
        else min(16, cores() - 1)
    )


def cpu_batch(size: int) -> int:
    """Images at a time on a CPU: as many as fit its caches, 16 of 224 pixels and 128 of 32."""
    return min(128, max(16, 800_000 // size**2))


class _Runner:
    """A network on a device: how it is run, and how many images at a time."""

    def __init__(
        self,
        network: Net,
        layers: Sequence[str],
        device: torch.device,
        compute: str,
        batch: int | None,
    ) -> None:
        self.network, self.layers, self.device = network, layers, device
        self.half = compute.startswith("bf16")
        self.module = network.module.to(device).to(memory_format=torch.channels_last)
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
        net: Any = self.module
        if compute.endswith("+compile") and "forward_features" not in vars(net):
            net.forward_features = torch.compile(net.forward_features)
        self.batch = batch or cpu_batch(network.preprocessing.size)
        self.fixed = batch is not None or device.type != "cuda"

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """The features of a batch (n, 3, size, size), by layer, each (n, d) in float32, on the
        device.
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            features = forward(self.module, images, self.layers)
        return {layer: X.float() for layer, X in features.items()}

    def tune(self) -> None:
        """Find the batch size by trial on a GPU: doubled while that makes the network at least 5%
        faster and memory lasts.
        """
        if self.fixed:
            return
        self.fixed = True
        side = self.network.preprocessing.size
        size, rate = 32, 0.0
        self.batch = size
        while size <= LARGEST_BATCH:
            try:
                pixels = torch.zeros(size, 3, side, side, device=self.device)
                pixels = pixels.contiguous(memory_format=torch.channels_last)
                self(pixels)
                torch.cuda.synchronize()
                started = time.perf_counter()
                self(pixels)
                self(pixels)
                torch.cuda.synchronize()
                measured = 2 * size / (time.perf_counter() - started)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                break
            if measured < 1.05 * rate:
                break
            self.batch, size, rate = size, 2 * size, measured

    def halve(self) -> None:
        """Work with half as many images at a time, after memory ran out."""
        if self.batch == 1:
            raise InputError(
                f"{self.network.name} does not fit into the memory of {self.device} even with "
                "one image at a time"
            )
        self.batch = -(-self.batch // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


@torch.inference_mode()
def extract(
    network: Net,
    split: Split,
    *,
    layers: Sequence[str] = (PENULTIMATE,),
    device: str = "auto",
    batch: int | None = None,
    compute: str = "float32",
    view: int | None = None,
    title: str = "",
    start: int = 0,
    stop: int | None = None,
) -> dict[str, np.ndarray]:
    """Features of the images of a split, float32 (n, d), by layer.

    Parameters
    ----------
    network : Net
    split : Split
    layers : sequence of str
        See :func:`forward`.
    device : str
    batch : int, optional
        Images at a time; by default found by trial on a GPU, and :func:`cpu_batch` elsewhere.
        Halved whenever memory runs out.
    compute : str
        One of :data:`COMPUTE`.
    view : int, optional
        The number of a random view, in place of the clean one.
    title : str
        Of the progress bar.
    start, stop : int
        The first image, and the one after the last; by default all images.

    Returns
    -------
    dict from a layer to an ndarray (n, d)
        Backed by an unnamed file where it would take more than :data:`IN_MEMORY` bytes.

    Raises
    ------
    InputError
        If a layer or a way to compute is unknown, memory does not suffice for one image, or
        features are not finite.
    """
    if compute not in COMPUTE:
        raise unknown("way to compute features", compute, COMPUTE)
    chip = resolve_device(device)
    rows = range(len(split))[start:stop]
    runner = _Runner(network, layers, chip, compute, batch)
    runner.tune()
    out: dict[str, np.ndarray] = {}
    waiting: tuple[int, dict[str, Tensor]] | None = None

    def store(first: int, features: dict[str, Tensor]) -> None:
        for layer, X in features.items():
            if layer not in out:
                out[layer] = _empty(len(rows), X.shape[1])
            out[layer][first - start : first - start + len(X)] = X.cpu().numpy()

    for first, features in progress(
        _features(runner, split, workers_for(split, chip), view, rows),
        total=-(-len(rows) // runner.batch),
        title=title or f"features of {network.title}",
    ):
        if waiting is not None:
            store(*waiting)  # the device works on this batch while the one before is fetched
        waiting = (first, features)
    if waiting is not None:
        store(*waiting)
    for layer, X in out.items():
        if not all(np.isfinite(X[i : i + 65_536]).all() for i in range(0, len(X), 65_536)):
            raise InputError(
                f"{network.name} gives features that are not finite at layer {layer!r}: its "
                "weights are damaged"
            )
    return out


def _features(
    runner: _Runner, split: Split, workers: int, view: int | None, rows: range
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """The features of some of a split's images, batch by batch, each with the index of its first
    image.

    Images are made small as they come, before the next ones are decoded. Where memory runs out, the
    batch is decoded again, in smaller ones.
    """
    how, start = runner.network.preprocessing, rows.start
    images = _images(split, rows, workers)
    while start < rows.stop:
        some = islice(images, runner.batch)
        try:
            if view is None:
                batch = prepare(some, how, runner.device)
            else:
                batch = augmented(some, how, runner.device, view=view, start=start)
            features = runner(batch)
        except torch.OutOfMemoryError:
            runner.halve()
            images = _images(split, range(start, rows.stop), workers)
            continue
        yield start, features
        start += len(batch)


def _empty(n: int, d: int) -> np.ndarray:
    """An array for features, (n, d) float32, in memory or backed by a file."""
    if n * d * 4 <= IN_MEMORY:
        return np.empty((n, d), np.float32)
    with TemporaryFile(dir=make_folder(paths.cache())) as file:  # it vanishes with the array
        return np.memmap(file, np.float32, "w+", shape=(n, d))


def key_of(
    network: Net,
    task: Task,
    *,
    device: str = "auto",
    protocol_name: str = "clean",
    compute: str = "float32",
) -> dict[str, Any]:
    """Everything that determines the features of a task, but the layer."""
    how = asdict(network.preprocessing)
    return {
        "kind": "features",
        "code": code_digest(*CODE),
        "versions": versions(*PACKAGES),
        "net": network.fingerprint,
        "task": task.fingerprint,
        "protocol": protocol(protocol_name).name,
        "preprocessing": how | {"mean": list(how["mean"]), "std": list(how["std"])},
        "compute": compute,
        "device": resolve_device(device).type,
    }


def features(
    network: Net | str,
    task: Task | str,
    *,
    layer: str = PENULTIMATE,
    also: Sequence[str] = (),
    device: str = "auto",
    protocol_name: str = "clean",
    compute: str = "float32",
    cache: Cache | None = None,
) -> Features:
    """Features of a task at a layer of a network, from the cache or by one pass over its images.

    Parameters
    ----------
    network : Net or str
    task : Task or str
        Themselves, or their names.
    layer : str
        See :func:`forward`.
    also : sequence of str
        Layers that will be asked for later: the same pass fills the cache with them.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    protocol_name : str
        ``clean``, ``augmented`` or ``augmented:N``; see :class:`protocols.Protocol`.
    compute : str
        One of :data:`COMPUTE`.
    cache : Cache, optional
        By default the user's.

    Returns
    -------
    Features
        float32 features of the train and the test images, with their labels.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest one), weights or images are missing, or the network
        has no such layer.

    Examples
    --------
    >>> import diffused_redundancy as dr
    >>> few = dr.task("digits", images=20)
    >>> features = dr.features("miniature_resnet_128.standard_s1", few)
    >>> features.X_train.shape, features.y_train.shape, features.classes[:3]
    ((20, 128), (20,), ('0', '1', '2'))
    """
    network = net(network) if isinstance(network, str) else network
    task = named_task(task) if isinstance(task, str) else task
    cache = cache or Cache()
    views = protocol(protocol_name)
    common = key_of(network, task, device=device, protocol_name=protocol_name, compute=compute)
    arrays = cache.peek({**common, "layer": layer})
    if arrays is None:
        layers = list(dict.fromkeys([layer, *also]))
        one_pass = _Pass(network, task, views, cache, common, device, compute)
        arrays = cache.get_or_compute_all(
            {name: {**common, "layer": name} for name in layers}, one_pass.all, lock=common
        )[layer]
        one_pass.forget_blocks(layers)
    return Features(**arrays, classes=task.classes, views=views.views)


def blocks_of(task: Task, protocol_name: str = "clean") -> list[Block]:
    """The blocks of a task's images, in the order of the features' rows; one alone of a part that
    has at most :data:`BLOCK` images.
    """
    views = protocol(protocol_name)
    found = []
    for part, split in task.splits.items():
        augmented_part = part == "train" and views.name != "clean"
        for view in range(views.views) if augmented_part else [None]:
            for start in range(0, len(split), BLOCK):
                found.append(Block(part, view, start, min(start + BLOCK, len(split))))
    return found


def extract_block(
    network: Net,
    task: Task,
    block: Block,
    layers: Sequence[str],
    *,
    device: str = "auto",
    protocol_name: str = "clean",
    compute: str = "float32",
    cache: Cache | None = None,
) -> None:
    """Put the features of one block of a task's images into the cache, where :func:`features` finds
    them; nothing is done where all features are there.
    """
    cache = cache or Cache()
    common = key_of(network, task, device=device, protocol_name=protocol_name, compute=compute)
    if not all(cache.path({**common, "layer": layer}).exists() for layer in layers):
        views = protocol(protocol_name)
        _Pass(network, task, views, cache, common, device, compute).block(block, layers)


@dataclass(frozen=True)
class _Pass:
    """One network over the images of a task; blocks are kept until it is done, where there are
    several of a part.
    """

    network: Net
    task: Task
    views: Protocol
    cache: Cache
    common: dict[str, Any]
    device: str
    compute: str

    def _key(self, block: Block, layer: str) -> dict[str, Any]:
        return {**self.common, "layer": layer, "block": asdict(block)}

    def _extract(self, block: Block, layers: Sequence[str]) -> dict[str, np.ndarray]:
        split = self.task.splits[block.part]
        which = block.part if block.view is None else f"{block.part}, view {block.view + 1}"
        if block.stop - block.start < len(split):
            which += f", from image {block.start}"
        return extract(
            self.network,
            split,
            layers=layers,
            device=self.device,
            compute=self.compute,
            view=block.view,
            title=f"{self.network.title} on {self.task.title}, {which}, batches",
            start=block.start,
            stop=block.stop,
        )

    def block(self, block: Block, layers: Sequence[str]) -> dict[str, np.ndarray]:
        """The features of a block, from the cache or computed and kept there."""

        def compute(missing: list[str]) -> dict[str, dict[str, np.ndarray]]:
            return {name: {"X": X} for name, X in self._extract(block, missing).items()}

        keys = {layer: self._key(block, layer) for layer in layers}
        lock = {**self.common, "block": asdict(block)}
        found = self.cache.get_or_compute_all(keys, compute, lock=lock)
        return {layer: arrays["X"] for layer, arrays in found.items()}

    def all(self, layers: list[str]) -> dict[str, dict[str, np.ndarray]]:
        """Features and labels of the task, by layer; of train images one view after the other."""
        arrays: dict[str, dict[str, np.ndarray]] = {layer: {} for layer in layers}
        for part, split in self.task.splits.items():
            blocks = [one for one in blocks_of(self.task, self.views.name) if one.part == part]
            rows = sum(one.stop - one.start for one in blocks)
            at = 0
            for block in blocks:
                found = (self._extract if len(blocks) == 1 else self.block)(block, layers)
                for layer, X in found.items():
                    if at == 0:
                        whole = X if len(blocks) == 1 else _empty(rows, X.shape[1])
                        labels = np.tile(split.labels, rows // len(split))
                        arrays[layer] |= {f"X_{part}": whole, f"y_{part}": labels}
                    if len(blocks) > 1:
                        arrays[layer][f"X_{part}"][at : at + len(X)] = X
                at += block.stop - block.start
        return arrays

    def forget_blocks(self, layers: Sequence[str]) -> None:
        """Remove the blocks of layers whose features are there whole."""
        for block in blocks_of(self.task, self.views.name):
            for layer in layers:
                self.cache.discard(self._key(block, layer))
