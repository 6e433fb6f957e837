"""Features of many tags of timm are timm's own. The slowest file: by its name it starts first."""

from __future__ import annotations

from pathlib import Path

import diffused_redundancy as dr
import pytest
import timm
import torch

TAGS = Path(__file__).with_name("timm_tags.txt").read_text(encoding="utf-8").split()
"""Of every family of timm whose smallest network with weights is quick, and of variants within
large families.
"""


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
def test_features_of_tags_are_timm_s_own(tmp_path, tag):
    """From random weights in a file: the same as timm's before its head, and without one."""
    torch.manual_seed(1)
    theirs = timm.create_model(tag, pretrained=False).eval()
    torch.save({"state_dict": theirs.state_dict(), "epoch": 3}, tmp_path / "w.pth")
    network = dr.net(f"{tag}@{tmp_path / 'w.pth'}")
    size = timm.data.resolve_model_data_config(theirs)["input_size"][1]
    images = torch.randn(1, 3, size, size)
    with torch.inference_mode():
        ours = dr.forward(network.module, images)["penultimate"]
        before = theirs.forward_head(theirs.forward_features(images), pre_logits=True)
        theirs.reset_classifier(0)
        without = theirs(images)
    assert ours.shape == (1, network.d) and network.preprocessing.size == size
    assert torch.equal(ours, before.flatten(1))
    assert torch.allclose(ours, without.flatten(1), rtol=1e-4, atol=1e-4)
