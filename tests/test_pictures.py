"""Pictures of the thing itself: what is chosen, counted and said."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.experiment.correlations import SHOWN, Correlations, clustered, correlations
from diffused_redundancy.experiment.guesses import (
    Guesses,
    OneImage,
    guesses_of_fifths,
    one_image,
)
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.findings import pictures as chosen
from diffused_redundancy.measures.features import Features
from diffused_redundancy.nets.names import short_labels
from diffused_redundancy.report import display, pictures
from diffused_redundancy.tasks.splits import ArrayImages, Split, Task
from sklearn.linear_model import Ridge


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.standard_normal((300, 40)) + rng.standard_normal((3, 40))[y]
    return ProbedLayer(lambda: Features(X[:200], y[:200], X[200:], y[200:]), device="cpu")


def made_task(labels, classes, size=(5, 7)):
    images = np.zeros((len(labels), *size, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))  # an image says its place
    split = Split(ArrayImages(images), np.asarray(labels))
    return Task("t", "T", tuple(classes), "t:0", "", "", lambda: (split, split))


def places(some):
    return [int(one.image[0, 0, 0]) for one in some]


def test_guesses_are_those_of_the_probes_that_are_measured(layer):
    found = guesses_of_fifths(layer, [1, 2, 3], 0.1)
    hits = layer.ridge_hits("random", [1, 2, 3], penalty=0.1)
    assert (found.k, found.d) == (8, 40)
    np.testing.assert_array_equal(found.parts == found.labels, hits.at(8))
    np.testing.assert_array_equal(found.whole == found.labels, hits.full)


def test_scores_are_those_of_scikit_learn(layer):
    one, X, y = one_image(layer, 1, 0.1, place=4), layer.features.X_train, layer.features.y_train
    for neurons, scores in ((one.chosen, one.part), (np.arange(40), one.whole)):
        alpha = 0.1 * len(X) * X.var(0).mean()
        fitted = Ridge(alpha=alpha).fit(X[:, neurons], np.eye(3)[y])
        (expected,) = fitted.predict(one.features[None, neurons])
        np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert one.label == layer.features.y_test[4] and len(set(one.chosen.tolist())) == 8


def test_correlations_are_those_of_numpy(layer):
    found, X = correlations(layer), layer.features.X_train
    expected = np.corrcoef(X.T)
    sizes = np.abs(expected[np.triu_indices(40, 1)])
    assert found.neurons == 40 and found.matrix.shape == (40, 40)
    assert found.mean_size == pytest.approx(sizes.mean())
    assert found.strong == pytest.approx((sizes > 0.5).mean())
    assert sorted(found.matrix.ravel()) == pytest.approx(sorted(expected.ravel()), abs=1e-6)


def test_constant_neurons_have_no_correlation_and_many_are_thinned():
    X = np.random.default_rng(0).standard_normal((400, 300))
    X[:, 7] = 1
    found = correlations(ProbedLayer(lambda: Features(X), device="cpu"))
    assert found.neurons == 299 and found.matrix.shape == (SHOWN, SHOWN)
    assert np.isfinite(found.matrix).all()
    np.testing.assert_allclose(np.diag(found.matrix), 1, atol=1e-6)


def test_neurons_that_go_together_are_neighbours():
    groups = np.array([0, 1, 0, 1, 0, 1])
    signs = np.array([1, 1, -1, 1, 1, -1])
    matrix = np.where(groups[:, None] == groups, 0.9, 0.1) * np.outer(signs, signs)
    np.fill_diagonal(matrix, 1)
    assert groups[clustered(matrix)].tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    "labels, expected",
    [
        (np.repeat(np.arange(20), 2), 8),
        (np.array([0, 1] * 10), 8),
        (np.array([0, 0, 1]), 3),
        (np.array([5]), 1),
    ],
)
def test_samples_show_as_many_classes_as_they_can(labels, expected):
    shown = chosen.sample_places(labels)
    assert len(shown) == expected == len(set(shown.tolist()))
    assert len(np.unique(labels[shown])) == min(8, len(np.unique(labels)))
    assert (np.diff(labels[shown]) >= 0).all()


def test_samples_of_a_task_have_their_names():
    task = made_task([1, 0, 1, 1], ["a", "b"])
    shown = chosen.samples(task)
    assert [one.caption for one in shown] == ["a", "b", "b", "b"]
    assert places(shown) == [1, 0, 2, 3]
    said = chosen.describe_samples({"T": task})
    assert "T has 8 images of 2 classes. The first test image has 7 by 5 pixels." in said
    said = chosen.describe_samples({"T": task, "U": task})
    assert said.endswith("The first test image of each has 7 by 5 pixels.")


LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
WHOLE = np.array([0, 0, 0, 1, 1, 1, 2, 2])
PARTS = np.array([[1, 1, 2, 1, 1, 1, 2, 2], [1, 0, 0, 0, 1, 1, 2, 0]])


@pytest.fixture
def guesses():
    return {"T": (Guesses(LABELS, WHOLE, PARTS, 2, 10), ("a", "b", "c"))}


def test_mistakes_are_counted(guesses):
    table = chosen.mistakes_table(guesses)
    assert table["class"].tolist() == ["a", "c", "b"]
    first = table.iloc[0]
    assert first["accuracy, whole layer"] == 0.75 and first["accuracy, random fifths"] == 3 / 8
    assert first["loss"] == 0.375 and first["new mistakes"] == 4
    assert first["most often taken for"] == "b" and first["share of new mistakes"] == 0.75
    assert table.iloc[2]["new mistakes"] == 0 and table["most often taken for"].isna().tolist()[2]


def test_pictures_are_of_the_images_that_most_parts_lose(guesses):
    task = made_task(LABELS, ["a", "b", "c"])
    rows = chosen.shown_mistakes(chosen.mistakes_table(guesses))
    first, second = chosen.mistaken_pictures(rows, guesses, {"T": task})
    assert first.title == "a, T: 75.0% → 37.5%"
    assert places(first.lost) == [0, 1] and places(first.taken_for) == [4, 5]
    assert places(second.lost) == [7] and places(second.taken_for) == [0, 1, 2]


def test_what_is_said_of_mistakes_follows_the_numbers(guesses):
    rows = chosen.shown_mistakes(chosen.mistakes_table(guesses))
    said = chosen.describe_mistakes(rows, guesses)
    assert "T: *a* loses most, 37.5 points of 75.0, in the mean over 2 random fifths" in said
    assert "(2 of 10 neurons)" in said and "75% are for *b*" in said
    same = {"T": (Guesses(LABELS, WHOLE, WHOLE[None], 2, 10), ("a", "b", "c"))}
    rows = chosen.shown_mistakes(chosen.mistakes_table(same))
    assert rows.empty and "T: no class loses." in chosen.describe_mistakes(rows, same)


def one(part, whole, label=0):
    chosen_ones = np.array([1, 3])
    return OneImage(0, label, np.arange(5.0), chosen_ones, np.array(part), np.array(whole))


@pytest.mark.parametrize(
    "image, told",
    [
        (one([0.9, 0.2, 0.0], [1.0, 0.0, 0.0]), ["guesses x (score 0.90; next y, 0.20)", "right"]),
        (one([0.1, 0.2, 0.0], [1.0, 0.0, 0.0]), ["wrong: it is x", "all of them it guesses x"]),
        (one([0.1, 0.2, 0.0], [0.0, 1.0, 0.0]), ["wrong: it is x", "it guesses the same"]),
    ],
)
def test_what_is_said_of_one_image_follows_the_scores(image, told):
    said = chosen.describe_one_image(image, ["x", "y", "z"], "T")
    assert "From 2 of its 5 features" in said
    for words in told:
        assert words in said


def test_lit_neurons_are_coloured_and_the_more_active_the_more_opaque():
    grid = pictures.lights(np.arange(10.0), np.arange(10) % 2 == 0, "#0000ff").reshape(-1, 4)[:10]
    assert (grid[::2, 2] == 1).all() and (np.diff(grid[::2, 3]) > 0).all()
    assert (grid[1::2, :3] == 0.5).all() and len(set(grid[1::2, 3])) == 1


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: pictures.samples_figure({"a task": chosen.samples(made_task([0, 1], "ab"))}),
        lambda: pictures.one_image_figure(
            one([0.9, 0.2], [1.0, 0.0]), np.zeros((300, 200, 3), np.uint8), "ab"
        ),
        lambda: pictures.mistaken_figure(
            [chosen.Mistaken("a", chosen.samples(made_task([0, 1], "ab")), [])]
        ),
        lambda: pictures.correlations_figure({"a": np.eye(5)}),
        lambda: pictures.correlations_figure(dict.fromkeys("abcd", np.eye(5))),
    ],
)
def test_every_picture_is_drawn(drawn):
    image = display.png(drawn())
    assert image.startswith(b"\x89PNG") and len(display.with_palette(image)) < 100_000


def test_a_picture_is_made_small_without_loss():
    import io

    from PIL import Image

    few = np.random.default_rng(0).integers(0, 4, (64, 64, 1), dtype=np.uint8) * np.ones(
        3, np.uint8
    )
    given = io.BytesIO()
    Image.fromarray(few).convert("RGBA").save(given, format="PNG")
    packed = display.smallest(given.getvalue())
    assert len(packed) < len(given.getvalue())
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(packed)).convert("RGB")), few)


@pytest.mark.parametrize(
    "names, expected",
    [
        (
            ["standard_s1", "mrl_s1", "mrl_e_s1", "decov_1e-2_s1", "standard_s2"],
            ["standard_s1", "decov_1e-2_s1", "mrl_s1"],
        ),
        (["mrl_s1", "standard_s1", "standard_s2"], ["standard_s1", "mrl_s1"]),
        (["dropout_0.5_s1", "adversarial_l2_0.5_s1"], ["dropout_0.5_s1", "adversarial_l2_0.5_s1"]),
        (["standard_s1", "standard_s2"], ["standard_s1"]),
    ],
)
def test_networks_side_by_side(names, expected):
    shown = chosen.side_by_side([dr.net(f"miniature_resnet.{name}") for name in names])
    assert [net.name.partition(".")[2] for net in shown.values()] == list(shown) == expected


def test_a_network_has_the_name_that_other_figures_of_its_run_give_it():
    nets = [dr.net(f"miniature_{kind}.standard_s1") for kind in ("resnet", "vit")]
    assert list(chosen.side_by_side(nets)) == short_labels([net.name for net in nets])[:1]
    assert list(chosen.side_by_side(nets)) == ["miniature_resnet"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_matrices_of_correlations_fill_their_figure(count):
    drawn = pictures.correlations_figure(dict.fromkeys("abcd"[:count], np.eye(5)))
    display.png(drawn)
    first = drawn.axes[0].get_tightbbox().x0
    assert first < 0.1 * drawn.bbox.width
    size = drawn.axes[0].get_window_extent()
    assert count * size.width > 0.55 * drawn.bbox.width and size.height > 0.55 * drawn.bbox.height


def test_what_is_said_of_correlations_follows_the_numbers():
    found = {
        "a": Correlations(np.eye(2), 0.21, 0.05, 9),
        "b": Correlations(np.eye(2), 0.4, 0.312, 9),
    }
    said = chosen.describe_correlations(found, "T")
    assert "0.21 (a) and 0.40 (b)" in said and "5.0% and 31.2% of the pairs" in said
    assert chosen.correlation_table(found)["mean absolute correlation"].tolist() == [0.21, 0.4]
