"""Features whose bytes are in the other order, as they come from instruments and old files."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.store.featurefile import read_features

NAMES = ("X_train", "y_train", "X_test", "y_test")


@pytest.mark.parametrize("whole_below", [0, 10**9])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_features_of_either_order_of_bytes_are_the_same_at_every_size(tmp_path, kind, whole_below):
    X, y = make_layer(n=300)
    found = []
    for order in "<>":
        X_given, y_given = X.astype(f"{order}{kind}"), y.astype(f"{order}i8")
        path = tmp_path / f"{ord(order)}.npz"
        np.savez(path, **dict(zip(NAMES, (X_given[:200], y_given[:200]) * 2, strict=True)))
        features = dr.Features(**read_features(path, NAMES, whole_below=whole_below))
        assert isinstance(features.X_train, np.ndarray) == bool(whole_below)
        found.append(dr.measure(features, probe="both", seeds=1))
    for name, curve in found[0].curves.items():
        assert np.array_equal(curve.values, found[1].curves[name].values)
