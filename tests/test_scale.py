"""No result depends on the scale of the features, as far as their type reaches."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer


def measured(X, y, **options):
    options = {"probe": "both", "seeds": 2, "selections": ("random", "pca"), **options}
    return dr.measure(X[:300], y[:300], X[300:], y[300:], **options)


def same(one, other):
    assert one.penalties == other.penalties
    for name, curve in one.curves.items():
        assert np.array_equal(curve.values, other.curves[name].values), name
        assert curve.full == other.curves[name].full


@pytest.mark.slow
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    ("dtype", "exponents"), [("float32", (-100, 100)), ("float64", (-190, -100, 100, 190))]
)
def test_powers_of_two_change_no_digit(dtype, exponents, standardize):
    X, y = make_layer(dtype=dtype)
    usual = measured(X, y, standardize=standardize)
    for exponent in exponents:
        same(measured(np.ldexp(X, exponent), y, standardize=standardize), usual)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_scales_change_no_more_than_rounding_does(dtype, scale):
    X, y = make_layer()
    usual, scaled = measured(X.astype(dtype), y), measured((X * scale).astype(dtype), y)
    assert scaled.penalties == usual.penalties
    for name, curve in scaled.curves.items():
        atol = 1e-6 if name[0] == "cka" else 0.011  # an image at the border of two classes
        np.testing.assert_allclose(curve.values, usual.curves[name].values, atol=atol)


@pytest.mark.parametrize("scale", [1e-70, 1e70])
def test_what_is_beyond_float64_is_said_in_one_line(scale):
    X, y = make_layer()
    with pytest.raises(dr.InputError, match=r"scale them so that they vary by 2\^-200 to 2\^200"):
        measured(X * scale, y)


@pytest.mark.parametrize("mean", [-2000, 300, 30_000])
def test_half_precision_with_a_large_mean_is_what_it_holds(mean):
    X, y = make_layer()
    half = (16 * X + mean).astype("float16")
    ours, exact = measured(half, y), measured(half.astype("float64"), y)
    assert ours.penalties == exact.penalties
    for name, curve in ours.curves.items():
        atol = 1e-5 if name[0] == "cka" else 0.011
        np.testing.assert_allclose(curve.values, exact.curves[name].values, atol=atol)
