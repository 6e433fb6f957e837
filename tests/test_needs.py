"""What a run needs: forecasts list every cell, missing assets are found before any work, presets of
one's own, the command assets.
"""

from __future__ import annotations

import csv

import diffused_redundancy as dr
import pytest
from diffused_redundancy import parameters
from diffused_redundancy.__main__ import main
from diffused_redundancy.pipeline import estimate as forecast
from diffused_redundancy.pipeline import requirements as needs
from diffused_redundancy.pipeline.plan import plan
from diffused_redundancy.store import assets

NETS = ["miniature_resnet_128.standard_s1", "miniature_resnet.mrl_s1"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))


def planned(tmp_path, preset="miniature", only=("01_cka",), **values):
    import json

    return plan(
        preset, list(only), [(name, json.dumps(value)) for name, value in values.items()], tmp_path
    )


def test_every_cell_of_a_run_is_listed(tmp_path, capsys):
    words = ["run", "--dry-run", "--only", "01_cka", "--only", "06_layers", "--out", str(tmp_path)]
    words += [
        "-p",
        "NETS",
        str(NETS).replace("'", '"'),
        "-p",
        "TASKS",
        '["digits"]',
        "-p",
        "SELECTIONS",
        '["random", "pca"]',
        "-p",
        "SEEDS",
        "[1, 2, 3]",
    ]
    assert main(words) == 0
    told = capsys.readouterr().out
    with open(tmp_path / "plan.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * len(NETS) * (
        3 + 1
    )  # two notebooks; random with three seeds, principal components with one
    assert {(row["net"], row["selection"], row["seed"]) for row in rows} >= {
        (NETS[0], "random", "2"),
        (NETS[1], "pca", "0"),
    }
    assert (
        f"01_cka: {NETS[0]} on digits: random (3 seeds), pca (1 seed); 1,797 images" in told
        and "16 cells" in told
    )
    assert not list(tmp_path.glob("miniature-custom*"))  # nothing was run


def test_a_forecast_grows_with_what_it_is_of(tmp_path):
    small, large = (
        forecast.forecast(planned(tmp_path, NETS=NETS[:1], TASKS=["digits"], IMAGES=n))
        for n in (100, 400)
    )
    assert large.passes[0].images == 4 * small.passes[0].images == 800
    assert (
        large.disk == 4 * small.disk == 800 * 128 * 4
        and large.memory > small.memory
        and small.seconds > 0
    )
    deep = forecast.forecast(
        planned(tmp_path, only=("06_layers",), NETS=NETS[:1], TASKS=["digits"])
    )
    assert deep.passes[0].layers == 4 and deep.passes[0].disk == 1797 * 4 * (64 + 128 + 256 + 128)


def test_operations_of_a_net_are_those_known():
    assert forecast.shape_of("resnet18.tv_in1k", "penultimate").flops == pytest.approx(
        2 * 1.82e9, rel=0.02
    )
    assert forecast.shape_of("resnet18.tv_in1k", "stages").widths == {
        "layer1": 64,
        "layer2": 128,
        "layer3": 256,
        "layer4": 512,
    }


def test_the_paper_s_plan_finds_all_that_is_missing(tmp_path, monkeypatch):
    jobs = plan("paper", [], [], tmp_path)
    gone = needs.lacking(jobs)
    assert {
        "cifar10",
        "cifar100",
        "flowers102",
        "oxford_iiit_pet",
        "resnet50.mrl",
        "resnet50.ff_2048",
        "resnet50.decov_1e-9",
    } <= set(gone)
    assert {
        "vit_small_patch32_224.augreg_light1_in21k",
        "wide_resnet50_4.robust_l2_3",
        "vgg16_bn.robust_l2_3",
    } <= set(gone)
    with pytest.raises(
        dr.InputError,
        match=r"this run lacks 21 assets that it may not or cannot fetch.*releases "
        r"of.*--skip-missing",
    ):
        needs.prepared(jobs, data=False, skip=False)
    monkeypatch.setattr(assets, "fetch", lambda one: [])
    kept, left_out = needs.prepared(jobs, data=True, skip=True)
    assert len(left_out) == 17 and all("dropout" in name or "decov" in name for name in left_out)
    assert set(left_out.values()) == {"it has to be got by hand"}
    nets = next(job for job in kept if job.notebook == "03_pretraining").values["NETS"]
    assert "resnet50.robust_l2_3" in nets and not any("decov" in name for name in nets)
    with pytest.raises(dr.InputError, match="nothing is left to run without"):
        needs.prepared(planned(tmp_path, "cifar"), data=False, skip=True)


@pytest.fixture
def failing(monkeypatch):
    """Fetching fails for every MRL net and for Flowers; returns what was asked for."""
    asked = []

    def fetch(one):
        asked.append(one.name)
        if "mrl" in one.name or one.name == "flowers102":
            raise dr.InputError(f"{one.name} could not be fetched: no link gave it")
        return []

    monkeypatch.setattr(assets, "fetch", fetch)
    return asked


def test_what_fails_to_come_is_left_out_and_named(tmp_path, failing):
    nets = ["resnet50.mrl", "resnet50.ff_8", "resnet50.mrl_e", "convnext_tiny"]
    jobs = planned(tmp_path, NETS=nets, TASKS=["flowers102", "cifar10", "digits"])
    with pytest.raises(
        dr.InputError,
        match="this run lacks 3 assets that could not be fetched. resnet50.mrl "
        "could.*resnet50.mrl_e could.*flowers102 could",
    ):
        needs.prepared(jobs, data=True, skip=False)
    failing.clear()
    (job,), left_out = needs.prepared(jobs, data=True, skip=True)
    assert job.values["NETS"] == ["resnet50.ff_8", "convnext_tiny"] and job.values["TASKS"] == [
        "cifar10",
        "digits",
    ]
    assert (
        list(left_out) == ["resnet50.mrl", "resnet50.mrl_e", "flowers102"]
        and "no link gave it" in left_out["resnet50.mrl"]
    )
    assert len(failing) == 6  # one dead link did not keep the others from coming
    with pytest.raises(
        dr.InputError,
        match="nothing is left to run without resnet50.mrl .resnet50.mrl could not be fetched",
    ):
        needs.prepared(
            planned(tmp_path, NETS=["resnet50.mrl"], TASKS=["digits"]), data=True, skip=True
        )


def test_nothing_is_fetched_for_what_is_left_out(tmp_path, failing):
    (job,), left_out = needs.prepared(
        planned(tmp_path, NETS=[NETS[0]], TASKS=["cifar10", "digits"]), data=False, skip=True
    )
    assert job.values["TASKS"] == ["digits"] and list(left_out) == ["cifar10"] and failing == []
    with pytest.raises(
        dr.InputError,
        match="nothing is left to run without cifar10 .a data set, which --fetch downloads",
    ):
        needs.prepared(
            planned(tmp_path, NETS=["resnet50.ff_8"], TASKS=["cifar10"]), data=False, skip=True
        )
    assert failing == []


def test_a_run_says_what_it_leaves_out(tmp_path, failing, monkeypatch, capsys):
    from diffused_redundancy.pipeline import runner

    given = []
    monkeypatch.setattr(runner, "run", lambda jobs, **options: given.extend(jobs) or [])
    words = [
        "run",
        "--only",
        "01_cka",
        "-p",
        "NETS",
        f'["{NETS[0]}", "resnet50.mrl"]',
        "-p",
        "TASKS",
        '["digits"]',
        "--out",
        str(tmp_path),
    ]
    assert main([*words, "--skip-missing"]) == 0
    assert (
        "Left out: resnet50.mrl: resnet50.mrl could not be fetched: no link gave it"
        in capsys.readouterr().err
    )
    assert given[0].values["NETS"] == [NETS[0]]
    assert main(words) == 2 and "With --skip-missing it goes on without" in capsys.readouterr().err


def test_fetching_goes_on_after_a_dead_link(failing, capsys):
    assert main(["assets", "fetch", "resnet50.mrl*", "resnet50.ff_8", "resnet50.ff_16"]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"error: resnet50.mrl{end} could not be fetched: no link gave it" for end in ("", "_e")
    ]
    assert "resnet50.ff_8: " in said.out and failing[-1] == "resnet50.ff_16"


def test_tags_of_timm_are_imported_from_folders_of_their_name(tmp_path, capsys):
    tag = "convnext_tiny.fb_in22k"
    for name in (
        f"{tag}/model.safetensors",
        "v1.0/model.safetensors",
        "resnet50.unknown/model.safetensors",
    ):
        (tmp_path / "stick" / name).parent.mkdir(parents=True)
        (tmp_path / "stick" / name).write_bytes(name.encode())
    (tmp_path / "stick" / "resnet18-f37072fd.pth").write_bytes(b"wrong")
    assert main(["assets", "import", str(tmp_path / "stick")]) == 1
    said = capsys.readouterr()
    place = tmp_path / "assets" / "weights"
    assert said.out == f"{tag}: {place / tag / 'model.safetensors'}\n"
    assert (
        "resnet18-f37072fd.pth is not resnet18-f37072fd.pth of resnet18.tv_in1k: it has 5 "
        "bytes instead of 46,830,571" in said.err
    )
    assert (place / tag / "model.safetensors").read_text() == f"{tag}/model.safetensors" and [
        path.name for path in place.iterdir()
    ] == [tag]


def test_a_run_without_its_data_set_stops_before_any_work(tmp_path, capsys):
    words = [
        "run",
        "--only",
        "01_cka",
        "-p",
        "NETS",
        f'["{NETS[0]}"]',
        "-p",
        "TASKS",
        '["cifar10"]',
        "--out",
        str(tmp_path),
    ]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert (
        "data set cifar10: run " in told
        and "assets fetch cifar10' (170 MB)" in told
        and "--fetch" in told
    )
    assert main([*words, "--dry-run"]) == 1


@pytest.mark.parametrize("name", parameters.presets())
def test_presets_say_what_they_cost(name):
    found = parameters.preset(name)
    assert found.description and found.cost and set(found.notebooks) <= set(parameters.available())


def test_a_preset_of_one_s_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("notebooks: [01_cka]\neverywhere:\n  TASKS: [digits]\n  IMAGES: 50\n")
    (job,) = plan(str(path), [], [], tmp_path)
    assert job.values == {"TASKS": ["digits"], "IMAGES": 50} and job.folder == tmp_path / "mine"
    wrong = {
        "- a": "is no preset",
        "notebooks: [07_cka]": "unknown notebook '07_cka'",
        "everywhere:\n  IMAGES: -1": "IMAGES: -1 is out of range",
    }
    for text, words in wrong.items():
        path.write_text(text)
        with pytest.raises(dr.InputError, match=words):
            parameters.preset(str(path))
    with pytest.raises(dr.InputError, match="there is no preset file"):
        parameters.preset(str(tmp_path / "other.yaml"))


def test_values_typed_reach_every_notebook_that_has_them(tmp_path):
    jobs = planned(tmp_path, only=("01_cka", "06_layers"), LAYERS=["layer2"], SEEDS=[7])
    assert jobs[0].values == {"SEEDS": [7]} and jobs[1].values == {
        "SEEDS": [7],
        "LAYERS": ["layer2"],
    }
    with pytest.raises(dr.InputError, match="unknown parameter of 01_cka 'LAYERS'"):
        planned(tmp_path, LAYERS=["layer2"])


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("PROTOCOL", "augmentd", "unknown protocol 'augmentd'"),
        ("COMPUTE", "fp16", "did you mean 'bf16'"),
        ("IMAGES", -5, "nearest: 0"),
        ("NETS", ["resnet50.mlr"], "did you mean 'resnet50.mrl'"),
        ("TASKS", ["cifar-10"], "did you mean 'cifar10'"),
    ],
)
def test_wrong_values_name_the_nearest(tmp_path, name, value, words):
    with pytest.raises(dr.InputError, match=words):
        planned(tmp_path, **{name: value})


# The command


def test_the_command_assets(tmp_path, capsys):
    assert main(["assets", "ls", "resnet50.ff_*"]) == 0
    listed = capsys.readouterr().out
    assert (
        listed.count("missing") == 9
        and "about 103 MB" in listed
        and str(tmp_path / "assets") in listed
    )
    assert main(["assets", "verify"]) == 0 and "nothing is here" in capsys.readouterr().out
    assert main(["assets", "fetch", "resnet50.dropout_0.5"]) == 1
    assert (
        "could not be fetched: there is no link to it. By hand: Take the checkpoint"
        in capsys.readouterr().err
    )
    assert (
        main(["assets", "fetch", "cifar11"]) == 2
        and "did you mean 'cifar10'" in capsys.readouterr().err
    )
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "resnet50_dropout_0.5.ckpt").write_bytes(b"weights")
    assert (
        main(["assets", "import", str(tmp_path / "stick")]) == 0
        and "resnet50.dropout_0.5: " in capsys.readouterr().out
    )
    assert main(["assets", "ls", "resnet50.dropout_0.5"]) == 0 and "here" in capsys.readouterr().out
    assert main(["assets", "verify"]) == 0 and "as it should be" in capsys.readouterr().out
    (tmp_path / "assets/weights/resnet50.dropout_0.5/resnet50_dropout_0.5.ckpt").write_bytes(
        b"Weights"
    )
    assert main(["assets", "verify"]) == 1 and "recorded was" in capsys.readouterr().out
    assert (
        main(["assets", "import", str(tmp_path / "stick")]) == 0
        and "no file here is missing" in capsys.readouterr().out
    )


def test_a_layer_that_is_not_there_is_found_before_any_notebook_starts(tmp_path, capsys):
    words = [
        "run",
        "--preset",
        "smoke",
        "--only",
        "06_layers",
        "--out",
        str(tmp_path / "reports"),
        "-p",
        "LAYERS",
    ]
    assert main([*words, '["layer9"]']) == 2
    told = capsys.readouterr().err
    assert (
        "unknown layer of miniature_resnet.standard_s1 'layer9': did you mean 'layer" in told
        and "started" not in told
    )
    assert not (tmp_path / "reports").exists()
