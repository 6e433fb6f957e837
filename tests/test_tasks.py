"""Tasks: deterministic, balanced, fixed splits; folders and files of a user's own; clear errors."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import link
from diffused_redundancy.parameters import checked
from diffused_redundancy.tasks import SCHEMES, alphabets, letters
from diffused_redundancy.tasks.datasets import DATASETS
from diffused_redundancy.tasks.splits import stratified
from PIL import Image
from safetensors.numpy import save_file


def test_look_alikes_are_those_found_in_the_fonts():
    for world in (
        alphabets.LATIN + alphabets.GREEK + alphabets.CYRILLIC,
        alphabets.ARMENIAN,
        alphabets.GEORGIAN,
    ):
        groups = [group for group in alphabets.find_look_alikes(world) if len(group) > 1]
        assert groups == [group for group in alphabets.LOOK_ALIKES if group[0] in world]
    assert len(alphabets.UPSTREAM_CLASSES) == 131
    assert "AΑА" in alphabets.UPSTREAM_CLASSES and "Λ" in alphabets.UPSTREAM_CLASSES


def test_rendering_depends_on_the_seed_alone(monkeypatch):
    one = letters.render(alphabets.GEORGIAN_CLASSES, 1500, seed=3)
    monkeypatch.setattr(letters, "cores", lambda: 1)
    two = letters.render(alphabets.GEORGIAN_CLASSES, 1500, seed=3)
    assert np.array_equal(one.images, two.images) and np.array_equal(one.faces, two.faces)
    assert not np.array_equal(
        one.images, letters.render(alphabets.GEORGIAN_CLASSES, 1500, seed=4).images
    )
    assert not np.array_equal(
        one.images, letters.render(alphabets.GEORGIAN_CLASSES, 1500, seed=3, stream=1).images
    )


def test_rendering_is_balanced_legible_and_varied():
    made = letters.render(alphabets.UPSTREAM_CLASSES, 1310, seed=0)
    assert made.images.shape == (1310, 32, 32, 3) and made.images.dtype == np.uint8
    assert (np.bincount(made.classes) == 10).all()
    assert set(made.faces) == set(range(12))
    assert made.images.reshape(1310, -1).std(1).min() > 5  # no empty image
    assert len({image.tobytes() for image in made.images}) == 1310
    assert letters.render(alphabets.GEORGIAN_CLASSES, 0, seed=0).images.shape == (0, 32, 32, 3)


@pytest.mark.parametrize("name", sorted(dr.TASKS.keys() - DATASETS.keys()))
def test_what_every_embedded_task_obeys(name):
    task = dr.task(name)
    train, test = task.splits["train"], task.splits["test"]
    for part in (train, test):
        assert len(part) == len(part.images) == len(part.labels)
        assert part.labels.dtype == np.int64
        assert set(part.labels) == set(range(len(task.classes)))
        images = part.images.batch(0, 3)
        assert all(
            image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 for image in images
        )
    seen = {image.tobytes() for image in train.images.batch(0, len(train))}
    assert not any(image.tobytes() in seen for image in test.images.batch(0, len(test)))
    assert dr.task(name).fingerprint == task.fingerprint
    assert task.source and task.license and task.title


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    task = dr.task("digits")
    assert (len(task.splits["train"]), len(task.splits["test"])) == (1297, 500)
    labels = np.concatenate([part.labels for part in task.splits.values()])
    assert np.array_equal(np.bincount(labels), np.bincount(load_digits().target))


def test_stratified_keeps_proportions_and_is_fixed():
    labels = np.repeat([0, 1], [80, 20])
    train, test = stratified(labels, 0.2)
    assert sorted([*train, *test]) == list(range(100))
    assert np.bincount(labels[test]).tolist() == [16, 4]
    assert np.array_equal(test, stratified(labels, 0.2)[1])


def write_folder(root, parts, size=(8, 6), per_class=5, classes=("cat", "dog")):
    rng = np.random.default_rng(0)
    for part in parts:
        for name in classes:
            place = root / part / name
            place.mkdir(parents=True)
            for i in range(per_class):
                Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(
                    place / f"{i}.png"
                )


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_image_folder_with_parts(tmp_path, test_name):
    write_folder(tmp_path, ["train", test_name])
    task = dr.task(f"folder:{tmp_path}")
    assert task.classes == ("cat", "dog")
    assert (len(task.splits["train"]), len(task.splits["test"])) == (10, 10)
    assert task.splits["train"].images.batch(0, 1)[0].shape == (8, 6, 3)


def test_image_folder_without_parts_holds_out_a_fifth(tmp_path):
    write_folder(tmp_path, [""])
    task = dr.task(f"folder:{tmp_path}")
    assert np.bincount(task.splits["test"].labels).tolist() == [1, 1]
    before = task.fingerprint
    Image.new("RGB", (5, 5)).save(tmp_path / "cat" / "0.png")
    assert dr.task(f"folder:{tmp_path}").fingerprint != before


def test_image_folder_errors(tmp_path):
    with pytest.raises(dr.InputError, match="no folder"):
        dr.task(f"folder:{tmp_path / 'none'}")
    with pytest.raises(dr.InputError, match="has 0 folders"):
        dr.task(f"folder:{tmp_path}")
    write_folder(tmp_path, ["train", "test"])
    (tmp_path / "train" / "owl").mkdir()
    with pytest.raises(dr.InputError, match="owl holds no image"):
        dr.task(f"folder:{tmp_path}")
    (tmp_path / "train" / "owl").rmdir()
    (tmp_path / "test" / "dog").rename(tmp_path / "test" / "fox")
    with pytest.raises(dr.InputError, match=r"different classes: \['dog', 'fox'\]"):
        dr.task(f"folder:{tmp_path}")


def test_a_truncated_image_is_named(tmp_path):
    write_folder(tmp_path, ["train", "test"], size=(64, 64))
    bad = tmp_path / "train" / "cat" / "0.png"
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(dr.InputError, match=r"cat/0\.png cannot be read as an image"):
        dr.task(f"folder:{tmp_path}").splits["train"].images.batch(0, 5)


def test_npz_images(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (20, 8, 8), dtype=np.uint8), np.repeat([0, 1], 10)
    np.savez(tmp_path / "a.npz", X_train=X, y_train=y)
    task = dr.task(f"npz:{tmp_path / 'a.npz'}")
    assert (len(task.splits["train"]), len(task.splits["test"])) == (16, 4)
    assert task.splits["train"].images.batch(0, 1)[0].shape == (8, 8, 3)
    np.savez(
        tmp_path / "b.npz", X_train=X, y_train=y, X_test=X[:3], y_test=y[:3], classes=["no", "yes"]
    )
    other = dr.task(f"npz:{tmp_path / 'b.npz'}")
    assert other.classes == ("no", "yes") and len(other.splits["test"]) == 3
    save_file({"X_train": X, "y_train": y}, tmp_path / "c.safetensors")
    assert dr.task(f"npz:{tmp_path / 'c.safetensors'}").fingerprint == task.fingerprint


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"y_train": np.zeros(3, int)}, "has no array 'X_train'"),
        ({"X_train": np.zeros((0, 4, 4), np.uint8), "y_train": np.zeros(0, int)}, "at least two"),
        ({"X_train": np.zeros((3, 4, 4)), "y_train": np.zeros(3, int)}, "images are uint8"),
        (
            {"X_train": np.zeros((3, 4, 4), np.uint8), "y_train": np.zeros(2, int)},
            "for each of the 3 images",
        ),
        (
            {"X_train": np.zeros((3, 4, 4), np.uint8), "y_train": np.array([0, 1, -1])},
            "the mark of images without a label",
        ),
        ({"X_train": np.zeros((4, 4, 4), np.uint8), "y_train": np.zeros(4, int)}, "one class"),
        (
            {
                "X_train": np.zeros((4, 4, 4), np.uint8),
                "y_train": np.array([0, 0, 1, 1]),
                "y_test": np.zeros(1),
            },
            "only one of X_test and y_test",
        ),
    ],
)
def test_npz_errors(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(dr.InputError, match=words):
        dr.task(f"npz:{tmp_path / 'a.npz'}")


def test_npz_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, X_train=np.zeros((50, 8, 8), np.uint8), y_train=np.repeat([0, 1], 25))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(dr.InputError, match="cannot be read .truncated, or not a .npz file"):
        dr.task(f"npz:{path}")
    np.savez(path, X_train=np.array([{}], dtype=object), y_train=np.zeros(1, int))
    with pytest.raises(dr.InputError, match="X_train of .* holds Python objects"):
        dr.task(f"npz:{path}")


@pytest.mark.parametrize(
    "name, words",
    [
        ("digit", "did you mean 'digits'"),
        ("foldr:x", "did you mean 'folder'"),
        ("npz:", "has no path"),
    ],
)
def test_unknown_tasks(name, words):
    with pytest.raises(dr.InputError, match=words):
        dr.task(name)


def test_look_alikes_of_the_extended_set_are_those_found_in_the_fonts():
    world = alphabets.LATIN + alphabets.GREEK + alphabets.CYRILLIC + alphabets.EXTENDED
    assert len(set(world)) == len(world)
    groups = [group for group in alphabets.find_look_alikes(world) if len(group) > 1]
    assert sorted(groups) == sorted(alphabets.EXTENDED_LOOK_ALIKES)
    assert len(alphabets.EXTENDED_CLASSES) == 421 and not set(
        "".join(alphabets.EXTENDED_CLASSES)
    ) & set(alphabets.ARMENIAN + alphabets.GEORGIAN)


def save_class_folders(root, images):
    for name, some in images.items():
        (root / name).mkdir(parents=True)
        for i, image in enumerate(some):
            image.save(root / name / f"{i}.png")


def test_grey_of_sixteen_bits_is_scaled(tmp_path):
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16).reshape(8, 8)
    save_class_folders(
        tmp_path / "set",
        {"a": [Image.fromarray(ramp)] * 2, "b": [Image.fromarray(ramp.T.copy())] * 2},
    )
    image = dr.task(f"folder:{tmp_path / 'set'}").splits["train"].images.batch(0, 1)[0]
    assert (
        image.shape == (8, 8, 3)
        and np.abs(image[..., 0].astype(int) - ramp // 257).max() <= 1
        and len(np.unique(image)) == 64
    )


def test_images_of_floating_point_numbers_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / name / f"{i}.tif")
    with pytest.raises(dr.InputError, match=r"tif holds floating-point numbers"):
        dr.task(f"folder:{tmp_path}").splits["train"].images.batch(0, 1)


def test_an_image_that_is_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    write_folder(tmp_path, [""])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(dr.InputError, match="cannot be read as an image: .*decompression bomb"):
        dr.task(f"folder:{tmp_path}").splits["train"].images.batch(0, 1)


def test_parts_are_found_whatever_their_capitals(tmp_path):
    write_folder(tmp_path, ["Train", "Test"])
    task = dr.task(f"folder:{tmp_path}")
    assert task.classes == ("cat", "dog")
    assert len(task.splits["test"]) == len(task.splits["train"])


def test_as_few_images_as_can_be_split(tmp_path):
    images = [Image.fromarray(np.full((4, 4, 3), i * 20, np.uint8)) for i in range(10)]
    save_class_folders(tmp_path, {f"class {i}": images[2 * i : 2 * i + 2] for i in range(5)})
    task = dr.task(f"folder:{tmp_path}")
    assert (
        sorted(task.splits["train"].labels) == sorted(task.splits["test"].labels) == [0, 1, 2, 3, 4]
    )


# Which folders are parts


@pytest.mark.parametrize(
    "names",
    [
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("train", "eval"),
        ("train", "dev"),
        ("TRAIN", "Valid"),
        ("train_images", "validation-data"),
        ("train2017", "val2017"),
    ],
)
def test_parts_by_their_usual_names(tmp_path, names):
    write_folder(tmp_path, names)
    task = dr.task(f"folder:{tmp_path}")
    assert task.classes == ("cat", "dog")
    assert [len(split) for split in task.splits.values()] == [10, 10]
    assert f"parts {names[0]} and {names[1]}" in task.source
    assert {path.parent.parent.name for path in task.splits["train"].images.paths} == {names[0]}


def test_of_three_parts_the_validation_part_is_left_out_and_that_is_said(tmp_path):
    write_folder(tmp_path, ["train", "val", "test"])
    task = dr.task(f"folder:{tmp_path}")
    assert task.source.endswith("(parts train and test; left out: val)")
    assert {path.parent.parent.name for path in task.splits["test"].images.paths} == {"test"}


@pytest.mark.parametrize("beside", [(), ("docs",), ("test",), ("docs", "seg_pred")])
def test_a_part_is_held_out_of_train_where_there_is_no_other(tmp_path, beside):
    """Nor is train a class beside folders without classes, such as unlabelled test images."""
    write_folder(tmp_path, ["train"])
    for name in beside:
        (tmp_path / name).mkdir()
        Image.new("RGB", (5, 5)).save(tmp_path / name / "0.png")
    task = dr.task(f"folder:{tmp_path}")
    assert task.classes == ("cat", "dog")
    assert [len(split) for split in task.splits.values()] == [8, 2]
    assert "part train, no test part: 20% of the images are held out" in task.source
    assert not beside or f"left out: {', '.join(beside)}" in task.source


def test_train_is_a_class_where_it_holds_images(tmp_path):
    write_folder(tmp_path, [""], classes=("bus", "train"))
    assert dr.task(f"folder:{tmp_path}").classes == ("bus", "train")


def test_a_class_may_have_folders_of_its_own(tmp_path):
    write_folder(tmp_path / "one", ["bus", "train"], classes=("images",))
    assert dr.task(f"folder:{tmp_path / 'one'}").classes == ("bus", "train")
    for name, kinds in {"animals": ("cat", "dog"), "vehicles": ("bus", "car")}.items():
        write_folder(tmp_path / "two", [name], classes=kinds)
    task = dr.task(f"folder:{tmp_path / 'two'}")
    assert task.classes == ("animals", "vehicles")
    assert "no test part: 20% of the images are held out" in task.source


@pytest.mark.parametrize(
    "parts, classes, words",
    [
        (("fold1", "fold2"), ("cat", "dog"), "fold1, fold2 of .* the same folders, cat, dog: if"),
        (("cat", "dog"), ("test", "train"), "parts come first, as in train/cat"),
        (("test", "more"), ("cat", "dog"), "no folder of .* is called train: there are more, test"),
    ],
)
def test_parts_by_other_names_are_not_taken_for_classes(tmp_path, parts, classes, words):
    write_folder(tmp_path, parts, classes=classes)
    with pytest.raises(dr.InputError, match=words):
        dr.task(f"folder:{tmp_path}")


# Which files are images


def test_hidden_folders_and_files_are_passed_over(tmp_path):
    write_folder(tmp_path, [""])
    before = dr.task(f"folder:{tmp_path}")
    places = [".git", "__MACOSX", "cat/.ipynb_checkpoints", "cat/__MACOSX/deep", "dog/@eaDir"]
    for place in places:
        (tmp_path / place).mkdir(parents=True)
        Image.new("RGB", (5, 5)).save(tmp_path / place / "0.png")
    for name in ("._0.png", "Thumbs.db", ".DS_Store", "desktop.ini"):
        (tmp_path / "cat" / name).write_bytes(b"none")
    task = dr.task(f"folder:{tmp_path}")
    assert (task.classes, task.fingerprint) == (before.classes, before.fingerprint)
    assert "left out" not in task.source


def test_what_pillow_reads_is_taken_and_the_rest_is_counted(tmp_path):
    write_folder(tmp_path, [""], per_class=2)
    image = Image.new("RGB", (5, 5))
    formats = {"jfif": "JPEG", "pgm": "PPM", "TIF": "TIFF", "tga": "TGA"}
    for suffix, kind in formats.items():
        (image.convert("L") if suffix == "pgm" else image).save(
            tmp_path / "cat" / f"a.{suffix}", kind
        )
    for name in ("1.heic", "2.heic", "notes.txt", "features.h5", "figure.eps", "README"):
        (tmp_path / "dog" / name).touch()
    Image.new("RGB", (5, 5)).save(tmp_path / "loose.png")
    task = dr.task(f"folder:{tmp_path}")
    images = [split.images for split in task.splits.values()]
    assert sum(len(some.batch(0, len(some))) for some in images) == 4 + len(formats)
    assert task.source.endswith(
        "left out: 2 .heic, 1 .eps, 1 .h5, 1 .png, 1 .txt, 1 without a suffix)"
    )


def test_a_class_of_unreadable_formats_says_so(tmp_path):
    write_folder(tmp_path, [""])
    (tmp_path / "owl").mkdir()
    (tmp_path / "owl" / "1.heic").touch()
    with pytest.raises(dr.InputError, match=r"owl holds no image: .*\(left out: 1 .heic\)"):
        dr.task(f"folder:{tmp_path}")


def test_links_to_nothing(tmp_path):
    write_folder(tmp_path, ["train", "test"])
    for part in ("train", "test"):
        link(tmp_path / part / "cat" / "x.png", "/gone/x.png")
    words = r"test/cat/x.png is a link to a file that is not there \(2 such links\)"
    with pytest.raises(dr.InputError, match=words):
        dr.task(f"folder:{tmp_path}")
    for part in ("train", "test"):
        (tmp_path / part / "cat" / "x.png").unlink()
    link(tmp_path / "train" / "owl", "/gone/owl")
    with pytest.raises(dr.InputError, match="train/owl is a link to a file that is not there$"):
        dr.task(f"folder:{tmp_path}")


def test_all_unreadable_images_are_named_and_can_be_left_out(tmp_path):
    write_folder(tmp_path, ["train", "test"], size=(64, 64), per_class=10)
    bad = [tmp_path / place for place in ("train/cat/3.png", "train/dog/0.png", "test/dog/7.png")]
    for path in bad:
        path.write_bytes(path.read_bytes()[:200])
    bad[0].write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(dr.InputError) as caught:
        dr.task(f"folder:{tmp_path}").splits["train"].images.batch(0, 20)
    assert "3.png cannot be read as an image: it is a pointer of Git LFS" in str(caught.value)
    assert "3 of 40 images cannot be read" in str(caught.value)
    assert all(str(path) in str(caught.value) for path in bad)
    assert "folder-lenient:PATH leaves such images out" in str(caught.value)
    task = dr.task(f"folder-lenient:{tmp_path}")
    assert [len(split) for split in task.splits.values()] == [18, 19]
    for split in task.splits.values():
        assert len(split.images.batch(0, len(split))) == len(split)
    assert np.bincount(task.splits["train"].labels).tolist() == [9, 9]
    assert "3 of 40 images cannot be read and are left out: train/cat/3.png" in task.source
    assert checked("TASKS", [task.name]) == [task.name]


def test_a_class_without_a_readable_image_is_refused(tmp_path):
    write_folder(tmp_path, [""], per_class=2)
    for path in (tmp_path / "cat").iterdir():
        path.write_bytes(b"")
    with pytest.raises(dr.InputError, match="cat holds no image"):
        dr.task(f"folder-lenient:{tmp_path}")


# Labels of arrays


def save_arrays(path, y_train, y_test=None, *, size=(8, 8), **more):
    rng = np.random.default_rng(0)
    arrays = {"X_train": rng.integers(0, 256, (len(y_train), 8, 8), dtype=np.uint8)}
    if y_test is not None:
        arrays |= {
            "X_test": rng.integers(0, 256, (len(y_test), *size), dtype=np.uint8),
            "y_test": y_test,
        }
    np.savez(path, y_train=y_train, **arrays, **more)
    return f"npz:{path}"


@pytest.mark.parametrize(
    "labels, classes, note",
    [
        (np.array([0, 500] * 5), ("0", "500"), ""),
        (np.array([1, 2] * 5, np.uint8), ("1", "2"), ""),
        (np.array([0.0, 3.0] * 5, np.float32), ("0", "3"), "whole numbers as float32"),
        (np.eye(3)[[0, 2] * 5], ("0", "2"), "is one-hot"),
        (np.array([[1], [0]] * 5), ("0", "1"), ""),
        (np.array(["owl", "fox"] * 5), ("fox", "owl"), ""),
    ],
)
def test_labels_that_can_mean_one_thing_only_are_taken(tmp_path, labels, classes, note):
    task = dr.task(save_arrays(tmp_path / "a.npz", labels, labels[:4]))
    assert task.classes == classes and note in task.source
    assert sorted(set(task.splits["train"].labels)) == [0, 1]
    first = [classes.index("owl"), classes.index("fox")] if "owl" in classes else None
    if first is not None:
        assert task.splits["test"].labels.tolist() == first * 2


@pytest.mark.parametrize(
    "y_train, y_test, more, words",
    [
        ([0, 1] * 2, [1, 2], {}, "y_test of .* holds 2, which is not among the 2 classes of"),
        ([0, 1] * 2, [1, -1], {}, "y_test of .* holds -1, which is not among"),
        ([0, 1] * 2, ["0", "1"], {}, "holds whole numbers and y_test of .* words"),
        ([0, 0.5] * 2, None, {}, "holds float64 such as 0.5"),
        ([0, float("nan")] * 2, None, {}, "has no label for 2 of 4 images"),
        ([1, 2] * 2, None, {"classes": ["no", "yes"]}, "2 classes are named, .* up to 2: labels"),
        ([0, 1] * 2, [], {}, "X_test of .* holds no image"),
        ([0, 1, 1], None, {}, "at least two images to hold one out, and 0 has 1"),
    ],
)
def test_labels_that_are_refused(tmp_path, y_train, y_test, more, words):
    y_test = None if y_test is None else np.array(y_test, None if y_test else int)
    with pytest.raises(dr.InputError, match=words):
        dr.task(save_arrays(tmp_path / "a.npz", np.array(y_train), y_test, **more))


def test_named_classes_that_do_not_occur_are_none(tmp_path):
    y = np.array([0, 2] * 4)
    task = dr.task(save_arrays(tmp_path / "a.npz", y, y, classes=["no", "maybe", "yes"]))
    assert task.classes == ("no", "yes")


def test_parts_of_two_sizes_in_one_file_of_arrays(tmp_path):
    y = np.array([0, 1] * 4)
    task = dr.task(save_arrays(tmp_path / "a.npz", y, y, size=(4, 6, 3)))
    assert task.splits["train"].images.batch(0, 1)[0].shape == (8, 8, 3)
    assert task.splits["test"].images.batch(0, 1)[0].shape == (4, 6, 3)


def test_the_same_bytes_in_other_shapes_and_parts_are_other_tasks(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (10, 4, 8), dtype=np.uint8), np.array([0, 1] * 5)
    np.savez(tmp_path / "a.npz", X_train=X, y_train=y)
    np.savez(tmp_path / "b.npz", X_train=X.reshape(10, 8, 4), y_train=y)
    np.savez(tmp_path / "c.npz", X_train=X[:8], y_train=y[:8], X_test=X[8:], y_test=y[8:])
    assert len({dr.task(f"npz:{tmp_path}/{name}.npz").fingerprint for name in "abc"}) == 3


def test_labels_of_bfloat16(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_tensors

    arrays = {
        "X_train": torch.zeros(10, 4, 4, dtype=torch.uint8),
        "y_train": torch.tensor([0, 1] * 5, dtype=torch.bfloat16),
    }
    save_tensors(arrays, tmp_path / "a.safetensors")
    assert dr.task(f"npz:{tmp_path / 'a.safetensors'}").classes == ("0", "1")


def test_paths_that_lead_nowhere(tmp_path):
    link(tmp_path / "a", tmp_path / "b")
    link(tmp_path / "b", tmp_path / "a")
    for scheme in SCHEMES:
        for path in ("~nobody-of-this-name/x", tmp_path / "a", tmp_path / "none"):
            with pytest.raises(dr.InputError):
                dr.task(f"{scheme}:{path}")
