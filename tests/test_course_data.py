"""The data of the course: made by the library, small, and not to be changed."""

from __future__ import annotations

import sys

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "course"))

import make_data
import redundancy_lab as lab


def test_the_file_is_small() -> None:
    assert make_data.FILE.stat().st_size < 4e6


@pytest.mark.parametrize("name", make_data.PARTS)
def test_a_part(name: str) -> None:
    data = lab.load(name)
    m, shown = len(data.X_test), make_data.PARTS[name][3]
    assert data.X_train.shape == (len(data.y_train), 512) == (len(data.y_train), data.d)
    assert data.X_test.shape == (len(data.y_test), 512) and data.images.shape[:1] == (shown,)
    assert shown <= m and data.images.dtype == np.uint8
    assert data.X_train.dtype == data.X_test.dtype == np.float64
    assert set(data.y_train) == set(data.y_test) == set(range(len(data.classes)))
    with pytest.raises(ValueError, match="read-only"):
        data.X_train[0] = 0


def test_it_is_what_the_library_makes() -> None:
    made = make_data.arrays("digits")
    data = lab.load("digits")
    for key in ("X_train", "X_test"):  # half precision has steps of a thousandth
        np.testing.assert_allclose(getattr(data, key), made[f"digits/{key}"], rtol=2e-3, atol=2e-3)
    for key in ("y_train", "y_test", "images"):
        np.testing.assert_array_equal(getattr(data, key), made[f"digits/{key}"])
    assert (
        data.classes == tuple(made["digits/classes"])
        and data.network == make_data.PARTS["digits"][0]
    )


def test_orders_are_those_of_the_paper() -> None:
    np.testing.assert_array_equal(lab.orders(make_data.ORDERS), make_data.orders())
    assert lab.orders().shape == (5, 512)
    statistics = dr.SufficientStatistics.from_features(np.eye(512), device="cpu")
    seed_3 = dr.ordering("random", statistics, 3).order
    np.testing.assert_array_equal(lab.orders()[2], seed_3)


def test_what_does_not_exist() -> None:
    with pytest.raises(ValueError, match="digits, digits_mrl"):
        lab.load("flowers")
    with pytest.raises(ValueError, match="1 to 20"):
        lab.orders(21)
