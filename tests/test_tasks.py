"""Tasks: deterministic, balanced, fixed splits; folders and files of a user's own; clear errors."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.tasks import alphabets, letters
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
    monkeypatch.setattr(letters.os, "cpu_count", lambda: 1)
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


def write_folder(root, parts, size=(8, 6), per_class=5):
    rng = np.random.default_rng(0)
    for part in parts:
        for name in ("cat", "dog"):
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
            "whole number from 0",
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
