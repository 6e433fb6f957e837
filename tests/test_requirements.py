"""What a run needs: missing assets are found before any work, custom presets, the command
assets.
"""

from __future__ import annotations

import json

import diffused_redundancy as dr
import pytest
from diffused_redundancy import parameters, presets
from diffused_redundancy.__main__ import main
from diffused_redundancy.pipeline import requirements
from diffused_redundancy.pipeline.plan import plan
from diffused_redundancy.store import assets
from webserver import sha

NETS = ["miniature_resnet_128.standard_s1", "miniature_resnet.mrl_s1"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))


def planned(tmp_path, preset="miniature", only=("01_cka",), **values):
    return plan(
        preset, list(only), [(name, json.dumps(value)) for name, value in values.items()], tmp_path
    )


def test_the_paper_s_plan_finds_all_that_is_missing(tmp_path, monkeypatch):
    jobs = plan("paper", [], [], tmp_path)
    missing = requirements.missing_assets(jobs)
    assert {
        "cifar10",
        "cifar100",
        "flowers102",
        "oxford_iiit_pet",
        "resnet50.mrl",
        "resnet50.ff_2048",
        "resnet50.decov_1e-9",
    } <= set(missing)
    assert {
        "vit_small_patch32_224.augreg_light1_in21k",
        "wide_resnet50_4.robust_l2_3",
        "vgg16_bn.robust_l2_3",
    } <= set(missing)
    with pytest.raises(
        dr.InputError,
        match=r"this run lacks 21 assets that it may not or cannot download.*releases "
        r"of.*--skip-missing",
    ):
        requirements.fetch_missing(jobs, datasets=False, skip=False)
    monkeypatch.setattr(assets, "fetch", lambda one: [])
    kept, left_out = requirements.fetch_missing(jobs, datasets=True, skip=True)
    assert len(left_out) == 17 and all("dropout" in name or "decov" in name for name in left_out)
    assert set(left_out.values()) == {"it must be fetched by hand"}
    nets = next(job for job in kept if job.notebook == "03_pretraining").values["NETS"]
    assert "resnet50.robust_l2_3" in nets and not any("decov" in name for name in nets)
    with pytest.raises(dr.InputError, match="nothing is left to run without"):
        requirements.fetch_missing(planned(tmp_path, "cifar"), datasets=False, skip=True)


@pytest.fixture
def failing(monkeypatch):
    """Fetching fails for every MRL net and for Flowers; returns what was asked for."""
    asked = []

    def fetch(one):
        asked.append(one.name)
        if "mrl" in one.name or one.name == "flowers102":
            raise dr.InputError(f"{one.name} could not be downloaded: no link gave it")
        return []

    monkeypatch.setattr(assets, "fetch", fetch)
    return asked


def test_what_fails_to_come_is_left_out_and_named(tmp_path, failing):
    nets = ["resnet50.mrl", "resnet50.ff_8", "resnet50.mrl_e", "convnext_tiny"]
    jobs = planned(tmp_path, NETS=nets, TASKS=["flowers102", "cifar10", "digits"])
    with pytest.raises(
        dr.InputError,
        match="this run lacks 3 assets that could not be downloaded. resnet50.mrl "
        "could.*resnet50.mrl_e could.*flowers102 could",
    ):
        requirements.fetch_missing(jobs, datasets=True, skip=False)
    failing.clear()
    (job,), left_out = requirements.fetch_missing(jobs, datasets=True, skip=True)
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
        match="nothing is left to run without resnet50.mrl .resnet50.mrl could not be downloaded",
    ):
        requirements.fetch_missing(
            planned(tmp_path, NETS=["resnet50.mrl"], TASKS=["digits"]), datasets=True, skip=True
        )


def test_nothing_is_fetched_for_what_is_left_out(tmp_path, failing):
    (job,), left_out = requirements.fetch_missing(
        planned(tmp_path, NETS=[NETS[0]], TASKS=["cifar10", "digits"]), datasets=False, skip=True
    )
    assert job.values["TASKS"] == ["digits"] and list(left_out) == ["cifar10"] and failing == []
    with pytest.raises(
        dr.InputError,
        match="nothing is left to run without cifar10 .a data set, which --fetch downloads",
    ):
        requirements.fetch_missing(
            planned(tmp_path, NETS=["resnet50.ff_8"], TASKS=["cifar10"]), datasets=False, skip=True
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
        "Left out: resnet50.mrl: resnet50.mrl could not be downloaded: no link gave it"
        in capsys.readouterr().err
    )
    assert given[0].values["NETS"] == [NETS[0]]
    assert (
        main(words) == 2 and "With --skip-missing it runs without them" in capsys.readouterr().err
    )


def test_fetching_goes_on_after_a_dead_link(failing, capsys):
    assert main(["assets", "fetch", "resnet50.mrl*", "resnet50.ff_8", "resnet50.ff_16"]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"error: resnet50.mrl{end} could not be downloaded: no link gave it" for end in ("", "_e")
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
    said = capsys.readouterr().err
    assert (
        "data set cifar10: run " in said
        and "assets fetch cifar10' (170 MB)" in said
        and "--fetch" in said
    )
    assert main([*words, "--dry-run"]) == 1
    assert main([*words, "--dry-run", "--skip-missing"]) == 0  # a run would do without


@pytest.mark.parametrize("name", presets.presets())
def test_presets_say_what_they_cost(name):
    preset = presets.preset(name)
    assert preset.description and preset.cost
    assert set(preset.notebooks) <= set(parameters.available())


# A preset that reads files in a folder of the user's


@pytest.fixture
def stick(tmp_path):
    """A folder that holds what a preset names, but for the weights."""
    (tmp_path / "stick" / "cifar10").mkdir(parents=True)
    (tmp_path / "stick" / "flower_photos").mkdir()
    return tmp_path / "stick"


def test_the_preset_real_reads_its_images_in_a_folder(tmp_path, stick):
    jobs = plan("real", [], [], tmp_path, stick)
    assert {"01_cka", "02_probes", "05_fairness", "06_layers"} <= {job.notebook for job in jobs}
    for job in jobs:
        tasks = [f"cifar10:{stick / 'cifar10'}", f"folder:{stick / 'flower_photos'}"]
        assert job.values["TASKS"] == (tasks[:1] if job.notebook == "09_data" else tasks)
        assert job.parameters["NETS"] == ["resnet50.pqf_large", "resnet18.kill_the_bits_small"]
        assert job.parameters["PROTOCOL"] == "clean" and job.folder == tmp_path / "real"


def test_all_that_a_folder_lacks_is_one_line_before_any_work(tmp_path, stick, capsys):
    out = tmp_path / "reports"
    words = ["run", "--preset", "real", "--out", str(out)]
    (stick / "flower_photos").rmdir()
    (stick / "cifar10").rmdir()
    cases = {
        (): "preset real reads cifar10 and flower_photos in a folder of yours: name it with --asse",
        ("--assets", str(stick)): f"{stick} lacks cifar10 and flower_photos: preset real reads",
        ("--assets", f"{stick}/x"): f"there is no folder {stick}/x, which --assets names",
    }
    for more, expected in cases.items():
        assert main([*words, *more]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {expected}") and said.count("\n") == 1, said
    assert not out.exists()
    values = {"TASKS": ["digits"], "NETS": [NETS[0]]}  # nothing of the folder is needed then
    assert planned(tmp_path, "real", **values)[0].values["TASKS"] == ["digits"]


def test_a_custom_preset_may_name_files_in_the_folder(tmp_path, stick):
    path = tmp_path / "mine.yaml"
    path.write_text('notebooks: [01_cka]\n01_cka:\n  TASKS: ["folder:{assets}/cifar10", digits]\n')
    (job,) = plan(str(path), [], [], tmp_path, stick)
    assert job.values["TASKS"] == [f"folder:{stick / 'cifar10'}", "digits"]
    path.write_text('notebooks: [01_cka]\n01_cka:\n  NETS: ["resnet18@{assets}/w.pth"]\n')
    with pytest.raises(dr.InputError, match="lacks w.pth: preset mine reads w.pth there"):
        plan(str(path), [], [], tmp_path, stick)


def test_missing_weights_are_taken_from_the_folder(tmp_path, stick, monkeypatch):
    body = b"restored weights"
    files = [
        {"file": "a.pth", "urls": ["https://example.org/a.pth"], "sha256": sha(b"published")},
        {"file": "a.safetensors", "sha256": sha(body)},
    ]
    kinds = {"architecture": "resnet18", "loss": "", "upstream": "", "source": "", "license": ""}
    ours = assets._asset("weights", "resnet18.ours", {"files": files, **kinds})
    other = assets._asset("weights", "resnet18.other", {"file": "b.pth", **kinds})
    known = {one.name: one for one in (ours, other)}
    monkeypatch.setattr(assets, "manifest", lambda: known)
    jobs = planned(tmp_path, NETS=["resnet18.ours"], TASKS=["digits"])
    (stick / "sub").mkdir()
    (stick / "sub" / "a.safetensors").write_bytes(body)
    (stick / "b.pth").write_bytes(b"not asked for")
    assert requirements.take_from(stick, jobs) == [
        f"Taken from {stick}: a.safetensors, resnet18.ours"
    ]
    assert ours.path(ours.files[1]).read_bytes() == body and assets.missing(other)
    assert requirements.missing_assets(jobs) == {} and requirements.take_from(stick, jobs) == []
    ours.path(ours.files[1]).unlink()
    (stick / "sub" / "a.safetensors").write_bytes(b"damaged")
    with pytest.raises(dr.InputError, match="is not a.safetensors of resnet18.ours: its sha256"):
        requirements.take_from(stick, jobs)


def test_a_custom_preset(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("notebooks: [01_cka]\neverywhere:\n  TASKS: [digits]\n  IMAGES: 50\n")
    (job,) = plan(str(path), [], [], tmp_path)
    assert job.values == {"TASKS": ["digits"], "IMAGES": 50} and job.folder == tmp_path / "mine"
    wrong = {
        "- a": "is not a preset",
        "notebooks: [07_cka]": "unknown notebook '07_cka'",
        "everywhere:\n  IMAGES: -1": "IMAGES: -1 is out of range",
    }
    for text, words in wrong.items():
        path.write_text(text)
        with pytest.raises(dr.InputError, match=words):
            presets.preset(str(path))
    with pytest.raises(dr.InputError, match="there is no preset file"):
        presets.preset(str(tmp_path / "other.yaml"))


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
        "could not be downloaded: there is no link to it. By hand: Take the checkpoint"
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
    said = capsys.readouterr().err
    assert (
        "unknown layer of miniature_resnet.standard_s1 'layer9': did you mean 'layer" in said
        and "started" not in said
    )
    assert not (tmp_path / "reports").exists()
