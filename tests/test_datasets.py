"""Data sets in the exact on-disk formats of their publishers, tiny, written here; torchvision
unpacks and reads them.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
import torchvision
from diffused_redundancy.commands import assets as inventory
from diffused_redundancy.store import assets
from diffused_redundancy.tasks import datasets
from PIL import Image
from scipy.io import savemat

RNG = np.random.default_rng(0)
FLOWERS = sys.modules["torchvision.datasets.flowers102"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))
    made = tmp_path / "assets" / "datasets"
    made.mkdir(parents=True)
    return made


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def archive(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return out.getvalue()


def jpeg(width: int = 40, height: int = 30) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(
        out, "JPEG", quality=95
    )
    return out.getvalue()


def matlab(**arrays) -> bytes:
    out = io.BytesIO()
    savemat(out, arrays)
    return out.getvalue()


def write(folder, name: str, data: bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return md5(data)


def cifar(place, monkeypatch, name):
    """CIFAR10 and CIFAR100: pickled dictionaries in a tar.gz."""
    kind = getattr(torchvision.datasets, {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}[name])
    labels, words, folder = {
        "cifar10": ("labels", "label_names", "cifar-10-batches-py"),
        "cifar100": ("fine_labels", "fine_label_names", "cifar-100-python"),
    }[name]
    classes = 10 if name == "cifar10" else 100
    files, data, truth = {}, {}, {}
    for part in [*kind.train_list, *kind.test_list]:
        pixels = RNG.integers(0, 256, (20, 3072), dtype=np.uint8)
        target = [int(label) for label in np.arange(20) * 7 % classes]
        files[part[0]] = pickle.dumps({"data": pixels, labels: target, "filenames": []}, protocol=2)
        data[part[0]], truth[part[0]] = pixels, target
    meta = pickle.dumps({words: [f"class {i}" for i in range(classes)]}, protocol=2)
    monkeypatch.setattr(
        kind, "train_list", [[part[0], md5(files[part[0]])] for part in kind.train_list]
    )
    monkeypatch.setattr(
        kind, "test_list", [[part[0], md5(files[part[0]])] for part in kind.test_list]
    )
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})
    packed = archive(
        {f"{folder}/{key}": value for key, value in files.items()}
        | {f"{folder}/{kind.meta['filename']}": meta}
    )
    monkeypatch.setattr(kind, "tgz_md5", write(place, f"{name}/{kind.filename}", packed))
    first = kind.test_list[0][0]
    return (
        20 * len(kind.train_list),
        20,
        truth[first],
        data[first][0].reshape(3, 32, 32).transpose(1, 2, 0),
    )


def flowers(place, monkeypatch, name):
    """Flowers102: numbered images in a tgz, labels and splits in MATLAB files, both from 1."""
    labels = np.arange(1, 103).repeat(3)
    packed = archive({f"jpg/image_{i:05d}.jpg": jpeg() for i in range(1, len(labels) + 1)})
    parts = {
        "trnid": np.arange(1, 307, 3),
        "valid": np.arange(2, 307, 3),
        "tstid": np.arange(3, 307, 3),
    }
    files = {
        "image": ("102flowers.tgz", write(place, f"{name}/flowers-102/102flowers.tgz", packed)),
        "label": (
            "imagelabels.mat",
            write(place, f"{name}/flowers-102/imagelabels.mat", matlab(labels=labels)),
        ),
        "setid": ("setid.mat", write(place, f"{name}/flowers-102/setid.mat", matlab(**parts))),
    }
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_file_dict", files)
    return 102, 102, (labels[parts["tstid"] - 1] - 1).tolist(), None


def pets(place, monkeypatch, name):
    """Oxford-IIIT-Pets: images named by breed, lists of 'name class species breed', classes
    from 1.
    """
    breeds = ["Abyssinian", "american_bulldog", "Bengal"]
    images = {f"images/{breed}_{i}.jpg": jpeg() for breed in breeds for i in range(4)}
    lines = {
        part: "".join(
            f"{breed}_{i} {b + 1} 1 1\n" for b, breed in enumerate(breeds) for i in chosen
        )
        for part, chosen in (("trainval", (0, 1)), ("test", (2, 3)))
    }
    notes = {f"annotations/{part}.txt": text.encode() for part, text in lines.items()} | {
        "annotations/trimaps/a.png": b""
    }
    url = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
    home = f"{name}/oxford-iiit-pet"
    sums = [
        write(place, f"{home}/{file}", archive(held))
        for file, held in (("images.tar.gz", images), ("annotations.tar.gz", notes))
    ]
    monkeypatch.setattr(
        torchvision.datasets.OxfordIIITPet,
        "_RESOURCES",
        ((url + "images.tar.gz", sums[0]), (url + "annotations.tar.gz", sums[1])),
    )
    return 6, 6, [0, 0, 1, 1, 2, 2], None


def places(place, monkeypatch, name):
    """Places365, small images: lists in one tar, images of each part in another; the train folder
    is renamed on unpacking.
    """
    kind = torchvision.datasets.Places365
    categories = b"/a/airfield 0\n/b/bakery/shop 1\n"
    train, val = (
        b"/a/airfield/0.jpg 0\n/b/bakery/shop/1.jpg 1\n/b/bakery/shop/2.jpg 1\n",
        b"v1.jpg 1\nv0.jpg 0\n",
    )
    lists = {
        "categories_places365.txt": categories,
        "places365_train_standard.txt": train,
        "places365_val.txt": val,
    }
    monkeypatch.setattr(kind, "_CATEGORIES_META", ("categories_places365.txt", md5(categories)))
    monkeypatch.setattr(
        kind,
        "_FILE_LIST_META",
        {
            **kind._FILE_LIST_META,
            "train-standard": ("places365_train_standard.txt", md5(train)),
            "val": ("places365_val.txt", md5(val)),
        },
    )
    devkit = write(place, f"{name}/filelist_places365-standard.tar", archive(lists, "w"))
    monkeypatch.setattr(
        kind,
        "_DEVKIT_META",
        {**kind._DEVKIT_META, "standard": ("filelist_places365-standard.tar", devkit)},
    )
    big = archive(
        {f"data_256/{line.split()[0].decode().lstrip('/')}": jpeg() for line in train.splitlines()},
        "w",
    )
    small = archive(
        {f"val_256/{line.split()[0].decode()}": jpeg() for line in val.splitlines()}, "w"
    )
    sums = (
        write(place, f"{name}/train_256_places365standard.tar", big),
        write(place, f"{name}/val_256.tar", small),
    )
    monkeypatch.setattr(
        kind,
        "_IMAGES_META",
        {
            **kind._IMAGES_META,
            ("train-standard", True): ("train_256_places365standard.tar", sums[0]),
            ("val", True): ("val_256.tar", sums[1]),
        },
    )
    return 3, 2, [1, 0], None


def imagenet(place, monkeypatch, name):
    """ImageNet: a devkit with MATLAB synsets and the labels of the validation images; train is a
    tar of tars, one a class.
    """
    from torchvision.datasets import imagenet as module

    wnids = ["n01440764", "n01443537"]
    kind = np.dtype(
        [
            ("ILSVRC2012_ID", "O"),
            ("WNID", "O"),
            ("words", "O"),
            ("gloss", "O"),
            ("num_children", "O"),
        ]
    )
    rows = [(i + 1, wnid, f"name {i}, other", "", 0) for i, wnid in enumerate(wnids)] + [
        (3, "n00000001", "parent", "", 2)
    ]
    synsets = np.array(rows, dtype=kind)
    devkit = archive(
        {
            "ILSVRC2012_devkit_t12/data/meta.mat": matlab(synsets=synsets),
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": b"2\n1\n2\n1\n",
        }
    )
    train = archive(
        {
            f"{wnid}.tar": archive({f"{wnid}_{i}.JPEG": jpeg() for i in range(3)}, "w")
            for wnid in wnids
        },
        "w",
    )
    val = archive({f"ILSVRC2012_val_{i:08d}.JPEG": jpeg() for i in range(1, 5)}, "w")
    names = {
        "devkit": "ILSVRC2012_devkit_t12.tar.gz",
        "train": "ILSVRC2012_img_train.tar",
        "val": "ILSVRC2012_img_val.tar",
    }
    held = {"devkit": devkit, "train": train, "val": val}
    monkeypatch.setattr(
        module,
        "ARCHIVE_META",
        {part: (names[part], write(place, f"{name}/{names[part]}", held[part])) for part in names},
    )
    return 6, 4, [0, 0, 1, 1], None


FORMATS = {
    "cifar10": cifar,
    "cifar100": cifar,
    "flowers102": flowers,
    "oxford_iiit_pet": pets,
    "places365": places,
    "imagenet": imagenet,
}


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_each_data_set_in_its_own_format(name, place, monkeypatch):
    train, test, labels, image = FORMATS[name](place, monkeypatch, name)
    assert not datasets.is_unpacked(name)
    task = dr.task(name)
    assert datasets.is_unpacked(name) and inventory.state(assets.asset(name)) == "here"
    parts = task.splits
    assert (len(parts["train"]), len(parts["test"])) == (train, test)
    assert parts["test"].labels.tolist() == labels and parts["train"].labels.dtype == np.int64
    first, second = parts["test"].images.batch(0, 2)
    assert (
        first.dtype == np.uint8
        and first.ndim == 3
        and first.shape[2] == 3
        and not np.array_equal(first, second)
    )
    if image is not None:
        assert np.array_equal(first, image)
    assert (
        max(parts["test"].labels) < len(task.classes)
        and task.title == datasets.DATASETS[name].title
    )
    assert dr.task(name).fingerprint == task.fingerprint
    for file in place.rglob("*.tar*"):  # unpacked, the archives may go
        file.unlink()
    assert len(dr.task(name).splits["train"]) == train


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_a_missing_data_set_says_what_to_do(name, place):
    with pytest.raises(dr.InputError, match=f"data set {name} is not here: ") as caught:
        dr.task(name)
    assert str(place / name).replace(str(place.home()), "~") in str(
        caught.value
    ) and "assets" in str(caught.value)


def test_a_damaged_archive_is_refused(place, monkeypatch):
    cifar(place, monkeypatch, "cifar10")
    path = place / "cifar10" / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:-5])
    monkeypatch.setattr(
        "torchvision.datasets.utils.urllib.request.urlopen",
        lambda *given, **more: (_ for _ in ()).throw(OSError("no network")),
    )
    with pytest.raises(dr.InputError, match="data set cifar10 in .* cannot be unpacked"):
        dr.task("cifar10")


def test_the_real_sizes_are_those_of_the_manifest():
    assert set(datasets.DATASETS) == {
        name for name, one in assets.manifest().items() if one.kind == "datasets"
    }
    kind = torchvision.datasets
    known = {
        file.name.rpartition("/")[2]: file.expected.md5
        for one in assets.manifest().values()
        if one.kind == "datasets"
        for file in one.files
    }
    assert (
        known["cifar-10-python.tar.gz"] == kind.CIFAR10.tgz_md5
        and known["cifar-100-python.tar.gz"] == kind.CIFAR100.tgz_md5
    )
    assert all(known[file] == md5sum for file, md5sum in kind.Flowers102._file_dict.values())
    assert all(
        known[url.rpartition("/")[2]] == md5sum for url, md5sum in kind.OxfordIIITPet._RESOURCES
    )
    assert all(known[file] == md5sum for file, md5sum in kind.imagenet.ARCHIVE_META.values())
    assert known["val_256.tar"] == kind.Places365._IMAGES_META["val", True][1]


# A part of a data set, in a folder


def images_in(folder, train: int, test: int, classes: int = 10) -> None:
    for part, each in (("train", train), ("test", test)):
        for label in range(classes):
            place = folder / part / f"class {label}"
            place.mkdir(parents=True)
            for i in range(each):
                pixels = np.full((8, 8, 3), 20 * label + i, dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")


def test_images_of_a_data_set_in_a_folder(tmp_path, monkeypatch):
    images_in(tmp_path / "some", 3, 2)
    some = dr.task(f"cifar10:{tmp_path / 'some'}")
    plain = dr.task(f"folder:{tmp_path / 'some'}")
    assert some.name == f"cifar10:{tmp_path / 'some'}" and some.title == "CIFAR10 (part)"
    assert some.fingerprint == plain.fingerprint and some.classes == plain.classes
    assert [len(some.splits[part]) for part in ("train", "test")] == [30, 20]
    assert some.license == assets.asset("cifar10").license
    assert assets.asset("cifar10").source in some.source and str(tmp_path) in some.source
    assert dr.task(some.name, images=10).title == some.title
    known = replace(datasets.DATASETS["cifar10"], images=(30, 20))
    monkeypatch.setitem(datasets.DATASETS, "cifar10", known)
    assert dr.task(some.name).title == "CIFAR10"


def test_a_folder_of_another_number_of_classes_is_not_the_data_set(tmp_path):
    images_in(tmp_path / "few", 2, 1, classes=3)
    with pytest.raises(dr.InputError, match="has 3 classes, and CIFAR10 has 10: write folder:"):
        dr.task(f"cifar10:{tmp_path / 'few'}")
    with pytest.raises(dr.InputError, match="no folder"):
        dr.task(f"cifar10:{tmp_path / 'none'}")


# A limited number of images


def test_a_limited_task_is_balanced_nested_and_another_one(place, monkeypatch):
    cifar(place, monkeypatch, "cifar10")
    whole, some, fewer = (dr.task("cifar10", images=n) for n in (0, 15, 11))
    assert len(some.splits["train"]) == 15 and len(some.splits["test"]) == 15
    counts = np.bincount(some.splits["train"].labels, minlength=10)
    assert counts.max() - counts.min() <= 1
    assert (
        len({whole.fingerprint, some.fingerprint, fewer.fingerprint}) == 3
        and "at most 15 images" in some.source
    )
    images = {image.tobytes() for image in some.splits["train"].images.batch(0, 15)}
    assert all(image.tobytes() in images for image in fewer.splits["train"].images.batch(0, 11))
    assert len(dr.task("cifar10", images=10_000).splits["test"]) == 20
    with pytest.raises(
        dr.InputError,
        match=r"7 images of cifar10 leave some of its 10 classes without one .nearest: 10",
    ):
        dr.task("cifar10", images=7)


# Hugging Face


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "validation"), ("train",)])
def test_a_hugging_face_data_set_on_disk(tmp_path, parts):
    hf = pytest.importorskip("datasets")
    features = hf.Features(
        {
            "pixels": hf.Image(),
            "kind": hf.ClassLabel(names=["cat", "dog"]),
            "note": hf.Value("string"),
        }
    )
    images = [Image.fromarray(RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)) for _ in range(10)]
    rows = {"pixels": images, "kind": [0, 1] * 5, "note": [""] * 10}
    made = {part: hf.Dataset.from_dict(rows, features=features) for part in parts}
    (hf.DatasetDict(made) if len(parts) > 1 else made["train"]).save_to_disk(str(tmp_path / "set"))
    task = dr.task(f"hf:{tmp_path / 'set'}")
    assert task.classes == ("cat", "dog")
    sizes = (10, 10) if len(parts) > 1 else (8, 2)
    assert (len(task.splits["train"]), len(task.splits["test"])) == sizes
    if len(parts) > 1:
        assert (
            np.array_equal(task.splits["train"].images.batch(3, 4)[0], np.asarray(images[3]))
            and task.splits["test"].labels.tolist() == [0, 1] * 5
        )
    with pytest.raises(dr.InputError, match="not a Hugging Face data set"):
        dr.task(f"hf:{tmp_path}")


# Unpacking that is interrupted, or met by another process


def test_an_unpacking_that_was_interrupted_is_made_anew(place, monkeypatch):
    flowers(place, monkeypatch, "flowers102")
    kind = torchvision.datasets.Flowers102
    unpack = FLOWERS.download_and_extract_archive

    def interrupted(*given, **more):
        unpack(*given, **more)
        for path in sorted((place / "flowers102/flowers-102/jpg").iterdir())[5:]:
            path.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(FLOWERS, "download_and_extract_archive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dr.task("flowers102")
    assert len(list((place / "flowers102/flowers-102/jpg").iterdir())) == 5
    assert (
        not datasets.is_unpacked("flowers102")
        and inventory.state(assets.asset("flowers102")) == "here"
    )  # the archives are
    monkeypatch.setattr(FLOWERS, "download_and_extract_archive", unpack)
    task = dr.task("flowers102")
    assert task.splits["train"].images.batch(0, 102)[-1].shape == (30, 40, 3) and kind is not None
    assert not list(place.rglob(datasets.BEGUN))


def test_two_processes_unpack_once(place, monkeypatch):
    flowers(place, monkeypatch, "flowers102")
    unpack, times = FLOWERS.download_and_extract_archive, []

    def slow(*given, **more):
        times.append(1)
        unpack(*given, **more)
        time.sleep(0.3)

    monkeypatch.setattr(FLOWERS, "download_and_extract_archive", slow)
    with ThreadPoolExecutor(4) as pool:
        marks = set(pool.map(lambda _: dr.task("flowers102").fingerprint, range(4)))
    assert len(marks) == 1 and len(times) == 1


def test_parts_with_different_classes_are_refused(place, monkeypatch):
    places(place, monkeypatch, "places365")
    dr.task("places365")
    opened = datasets._parts

    def halved(*given, **more):
        train, test = opened(*given, **more)
        train.classes = train.classes[:1]
        return train, test

    monkeypatch.setattr(datasets, "_parts", halved)
    with pytest.raises(dr.InputError, match="has 1 classes to train on and 2 others to test on"):
        dr.task("places365")


def test_a_part_of_a_data_set_is_called_one(place, monkeypatch):
    cifar(place, monkeypatch, "cifar10")
    assert "(here 100 train and 20 test images, of 50,000 and 10,000)" in dr.task("cifar10").source


@pytest.mark.parametrize(
    "change, words",
    [
        ("order", "name or order their classes differently"),
        ("label", "row 0 of the part .test. of .* has no label"),
        ("empty", "not a Hugging Face data set .*list index"),
    ],
)
def test_a_hugging_face_data_set_that_cannot_be_used(tmp_path, change, words):
    hf = pytest.importorskip("datasets")
    names = {
        "train": ["cat", "dog"],
        "test": ["dog", "cat"] if change == "order" else ["cat", "dog"],
    }
    made = {}
    for part, kinds in names.items():
        count = 0 if (change, part) == ("empty", "test") else 4
        labels = [-1 if (change, part) == ("label", "test") else 0, 1, 0, 1][:count]
        images = [
            Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(count)
        ]
        features = hf.Features({"image": hf.Image(), "label": hf.ClassLabel(names=kinds)})
        made[part] = hf.Dataset.from_dict({"image": images, "label": labels}, features=features)
    try:
        hf.DatasetDict(made).save_to_disk(str(tmp_path / "set"))
    except ZeroDivisionError:
        pytest.skip(f"datasets {hf.__version__} cannot save an empty part")
    with pytest.raises(dr.InputError, match=words):
        _ = dr.task(f"hf:{tmp_path / 'set'}").splits


def save_hugging_face(where, labels, kind, **more):
    """One part of grey images with a column ``label``, and others."""
    hf = pytest.importorskip("datasets")
    images = [Image.fromarray(np.full((8, 8, 3), i, np.uint8)) for i in range(len(labels))]
    features = {"image": hf.Image(), "label": kind(hf)} | {
        name: kind_of(hf) for name, (_, kind_of) in more.items()
    }
    rows = {"image": images, "label": labels} | {name: values for name, (values, _) in more.items()}
    made = hf.Dataset.from_dict(rows, features=hf.Features(features))
    made.save_to_disk(str(where))
    return f"hf:{where}"


def cats_and_dogs(hf):
    return hf.ClassLabel(names=["cat", "dog", "owl"])


@pytest.mark.parametrize(
    "labels, kind, words",
    [
        ([0, None, 1, None], cats_and_dogs, r"row 1 of the part 'train' of .* \(2 rows without"),
        ([0, 1, 1, -1], cats_and_dogs, "row 3 of the part 'train' of .* has no label: leave"),
        ([0, 1, 0, 1], "int64", r"no column of class labels, it has .*label \(int64\): make one"),
        (["a", "b"] * 2, "string", r"such as by ds = ds.class_encode_column\('label'\)"),
        ([0, 0, 0, 0], cats_and_dogs, "holds one class"),
        ([0, 0, 0, 1], cats_and_dogs, "at least two images to hold one out, and dog has 1"),
    ],
)
def test_labels_of_a_hugging_face_data_set(tmp_path, labels, kind, words):
    known = kind if callable(kind) else lambda hf: hf.Value(kind)
    with pytest.raises(dr.InputError, match=words):
        dr.task(save_hugging_face(tmp_path / "set", labels, known))


def test_a_hugging_face_data_set_without_images_says_how_to_make_them(tmp_path):
    hf = pytest.importorskip("datasets")
    rows = hf.Dataset.from_dict({"img": [b"1", b"2"], "label": [0, 1]})
    rows.class_encode_column("label").save_to_disk(str(tmp_path / "set"))
    with pytest.raises(dr.InputError, match=r"ds.cast_column\('img', datasets.Image\(\)\)"):
        dr.task(f"hf:{tmp_path / 'set'}")


def test_which_column_and_which_parts_of_a_hugging_face_data_set_were_taken(tmp_path):
    fine = {"fine": ([1, 0] * 4, cats_and_dogs)}
    name = save_hugging_face(tmp_path / "set", [0, 2] * 4, cats_and_dogs, **fine)
    task = dr.task(name)
    assert "labels are those of the column label, not of fine" in task.source
    assert "part train, no test part: 20% of the images are held out" in task.source
    assert task.classes == ("cat", "owl")  # those that occur
    assert (
        sorted(np.concatenate([part.labels for part in task.splits.values()])) == [0] * 4 + [1] * 4
    )


def test_a_hugging_face_class_without_train_images_is_refused(tmp_path):
    hf = pytest.importorskip("datasets")
    images = [Image.fromarray(np.zeros((8, 8, 3), np.uint8))] * 4
    features = hf.Features({"image": hf.Image(), "label": cats_and_dogs(hf)})
    parts = {"Training": [0, 1, 0, 1], "dev": [0, 1, 2, 0], "extra": [0, 0, 0, 0]}
    made = {
        part: hf.Dataset.from_dict({"image": images, "label": labels}, features=features)
        for part, labels in parts.items()
    }
    hf.DatasetDict(made).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(dr.InputError, match="holds owl, which is not among the 2 classes"):
        dr.task(f"hf:{tmp_path / 'set'}")
    made["dev"] = made["Training"]
    hf.DatasetDict(made).save_to_disk(str(tmp_path / "other"))
    task = dr.task(f"hf:{tmp_path / 'other'}")
    assert "parts Training and dev; left out: extra" in task.source
    assert len(task.splits["test"]) == 4


def test_a_damaged_image_of_a_hugging_face_data_set_is_named(tmp_path):
    hf = pytest.importorskip("datasets")
    features = hf.Features({"image": hf.Image(), "label": cats_and_dogs(hf)})
    rows = {"image": [{"bytes": b"none", "path": None}] * 4, "label": [0, 1, 0, 1]}
    hf.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(dr.InputError, match=r"image \d of the part 'train' of .* cannot be read"):
        dr.task(f"hf:{tmp_path / 'set'}").splits["train"].images.batch(0, 1)
