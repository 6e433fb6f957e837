"""Units of work: each once, in whatever order and by however many, and all that notebooks need."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, replace

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.__main__ import main
from diffused_redundancy.cluster import executors
from diffused_redundancy.cluster import perform as perform_module
from diffused_redundancy.cluster import units as units_module
from diffused_redundancy.cluster.perform import perform
from diffused_redundancy.cluster.units import (
    STEPS,
    Unit,
    cost,
    named,
    of_shard,
    of_step,
    units,
)
from diffused_redundancy.commands.shard_option import check_shard
from diffused_redundancy.experiment.measurements import measured_all
from diffused_redundancy.nets import extraction
from diffused_redundancy.pipeline.plan import plan
from diffused_redundancy.probes import logistic
from diffused_redundancy.session import layer_of
from diffused_redundancy.store import Cache, tensors
from hypothesis import given
from hypothesis import strategies as st

NETS = ["miniature_resnet_128.standard_s1", "miniature_resnet.standard_s1"]
VALUES = {"IMAGES": 150, "DEVICE": "cpu", "COMPUTE": "float32", "PROTOCOL": "clean"}
TYPED = [
    ("NETS", json.dumps(NETS)),
    ("TASKS", "[digits]"),
    ("IMAGES", "150"),
    ("SEEDS", "[1, 2]"),
    ("DEVICE", "cpu"),
]


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "cache"))
    return plan("smoke", ["03_pretraining"], TYPED, tmp_path / "reports")


@pytest.mark.slow
def test_every_unit_has_a_name_of_its_own(tmp_path):
    every = units(plan("smoke", [], [], tmp_path))
    assert [step for step in STEPS for _ in of_step(every, step)] == [unit.step for unit in every]
    assert max(Counter(unit.name for unit in every).values()) == 1
    assert all(unit == Unit(**json.loads(json.dumps(asdict(unit)))) for unit in every)
    seconds = cost(every, plan("smoke", [], [], tmp_path)).seconds
    assert set(seconds) == {unit.name for unit in every} and min(seconds.values()) > 0


def test_notebooks_of_other_settings_have_units_of_other_names(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text(
        "notebooks: [01_cka, 02_probes]\neverywhere: {TASKS: [digits], IMAGES: 600}\n"
        "01_cka: {IMAGES: 300}\n"
    )
    jobs = plan(str(preset), [], [], tmp_path)
    every = units(jobs)
    assert [unit.name for unit in of_step(every, "extract")] == [
        f"extract/settings-{i}/miniature_resnet.standard_s1/digits" for i in (1, 2)
    ]
    assert max(Counter(unit.name for unit in every).values()) == 1
    assert set(cost(every, jobs).seconds) == {unit.name for unit in every}


@given(st.integers(0, 40), st.integers(1, 50))
def test_shards_share_units_out(count, n):
    shards = [of_shard(range(count), i, n) for i in range(1, n + 1)]
    assert sorted(unit for some in shards for unit in some) == list(range(count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1/0", "at least one shard"),
        ("1/-2", "at least one shard"),
        ("0/3", r"numbered 1 to N \(nearest: 1/3\)"),
        ("5/3", r"numbered 1 to N \(nearest: 3/3\)"),
        ("a/b", "write I/N, whole numbers, such as 1/8"),
        ("3", "write I/N"),
    ],
)
def test_bad_shards(text, message):
    with pytest.raises(dr.InputError, match=message):
        check_shard(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard", "1/2"], "--shard is a part of a step"),
        (["--step", "measures"], "unknown step 'measures'.*measure"),
        (["--step", "measure", "--shard", "3/2"], "nearest: 2/2"),
        (["--unit", "extract/miniature_resnet.standard_s1/digit"], "did you mean.*digits"),
        (["--plan", "--step", "measure"], "do not go together"),
        (["--emit", "snakefile"], "unknown form of --emit 'snakefile'.*snakemake"),
        (["--executor", "ray"], "unknown executor 'ray'"),
        (["--step", "measure", "--force"], "--force does not go with --step"),
        (["--unit", ""], "--unit is empty"),
        (["--step", "measure", "--shard", ""], "--shard is empty"),
    ],
)
def test_bad_words(words, message, capsys, tmp_path):
    assert main(["run", "--preset", "smoke", "--out", str(tmp_path), *words]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("words", [["--step", "measures"], ["--emit", "slurm"], ["--shard", "3"]])
def test_bad_words_are_told_before_any_work(words, monkeypatch, tmp_path):
    monkeypatch.setattr("diffused_redundancy.pipeline.plan.plan", lambda *_: pytest.fail("planned"))
    assert main(["run", "--preset", "paper", "--out", str(tmp_path), *words]) == 2


def test_units_hold_all_that_a_comparison_needs(jobs):
    """Also the penalty that all networks of a task have in common."""
    every = units(jobs)
    assert [unit.step for unit in every] == ["extract"] * 2 + ["penalties"] * 2 + ["measure"] * 2
    # in another order than that of the networks, and each by a process that knows only its own
    errors = executors.run_units(every[::-1], executors.Alone())
    assert errors == [] and all(unit.done for unit in every)
    cache = Cache()
    task = dr.task("digits", images=150)
    nets = [dr.net(name) for name in NETS]
    layers = [(net, task, layer_of(net, task, "penultimate", VALUES, cache)) for net in nets]
    seeds, fractions = [1, 2], jobs[0].parameters["FRACTIONS"]
    how = {"selections": ["random"], "seeds": seeds, "fractions": fractions, "geometry": True}
    found = measured_all(layers, probe="ridge", **how)
    assert cache.misses == 0 and cache.hits > 8
    assert len({one.penalty for one in found.all}) == 1
    plain = measured_all(
        [(net, task, layer_of(net, task, "penultimate", VALUES, Cache())) for net in nets],
        probe="ridge",
        **how,
    )
    for one, other in zip(found.all, plain.all, strict=True):
        assert np.array_equal(one.curve("accuracy").values, other.curve("accuracy").values)


def test_a_unit_is_done_once(jobs, monkeypatch):
    first, *_ = units(jobs)
    assert not first.done
    took = perform(first)
    assert first.done and not took["done_before"] and took["error"] == ""
    about = json.loads(first.mark.read_text())
    assert about["unit"] == first.name and about["seconds"] == took["seconds"] > 0
    monkeypatch.setattr(extraction, "extract", None)  # would fail
    again = perform(first)
    assert again["done_before"] and again["seconds"] == 0


def test_an_executor_and_notebooks_of_another_kind_are_refused():
    with pytest.raises(dr.InputError, match=r"executor is 'dask': it needs a method submit"):
        dr.run_on("dask", "smoke")
    with pytest.raises(dr.InputError, match=r"only is '01_cka': .* \['01_cka'\]"):
        dr.run_on(executors.Alone(), "smoke", only="01_cka")


def test_what_changes_while_a_unit_is_done_is_not_done(jobs, monkeypatch):
    first, *_ = units(jobs)
    with monkeypatch.context() as patch:

        def changed(unit):
            patch.setattr(units_module, "weights_stamp", lambda net: "other weights")

        patch.setitem(perform_module._DO, "extract", changed)
        assert perform(first)["error"] == ""
        assert not first.done
    assert first.done


def test_images_are_looked_at_once_for_many_units(jobs, monkeypatch):
    looked = []
    monkeypatch.setattr(units_module, "images_stamp", looked.append)
    units_module._images_stamp.cache_clear()
    assert len({unit.mark for unit in units(jobs)}) == 6
    units_module._images_stamp.cache_clear()
    assert 1 <= len(looked) <= 2  # twice where a minute ends meanwhile


def test_a_unit_that_fails_says_so_and_is_not_done(jobs, capsys):
    first, *others = units(jobs)
    broken = replace(first, needs={**first.needs, "layers": ["layer99"]})
    errors = executors.run_units([broken, others[0]], executors.Alone())
    (error,) = errors
    assert error.startswith(f"{first.name}: ") and "layer99" in error
    assert not broken.done and others[0].done
    assert f"[1/2] {first.name}: FAILED" in capsys.readouterr().err


def test_large_tasks_are_extracted_by_blocks(jobs, monkeypatch):
    plain = dr.features(NETS[0], dr.task("digits", images=150), device="cpu")
    monkeypatch.setattr(extraction, "BLOCK", 64)
    some = [unit for unit in of_step(units(jobs), "extract") if unit.net == NETS[0]]
    assert [unit.part for unit in some] == [f"{i}-of-6" for i in range(1, 7)]
    cache = Cache()
    for path in (cache.folder / "features").glob("*.safetensors"):
        path.unlink()
    for unit in some[::-1]:
        assert perform(unit)["error"] == ""
    monkeypatch.setattr(extraction, "extract", None)  # all blocks are there
    joined = dr.features(NETS[0], dr.task("digits", images=150), device="cpu")
    assert np.array_equal(joined.y_train, plain.y_train)
    for part in ("X_train", "X_test"):
        # 64 images at a time instead of 128: the order of sums differs
        assert np.allclose(getattr(joined, part), getattr(plain, part), rtol=1e-4, atol=1e-4)
    assert len(list((cache.folder / "features").glob("*.safetensors"))) == 1  # no block is left
    assert perform(some[0])["done_before"]


def test_named_units_and_shards_from_the_command_line(jobs, capsys, tmp_path):
    typed = [word for name, value in TYPED for word in ("-p", name, value)]
    words = ["run", "--preset", "smoke", "--only", "03_pretraining", *typed]
    words += ["--out", str(tmp_path / "reports")]
    assert main([*words, "--plan"]) == 0
    listed = capsys.readouterr().out.splitlines()
    names = [line.partition(": about ")[0] for line in listed[:-1]]
    assert names == [unit.name for unit in units(jobs)] and "6 units, 6 of them" in listed[-1]
    assert main([*words, "--unit", names[0]]) == 0
    assert main([*words, "--step", "extract", "--shard", "1/1"]) == 0
    assert "1 of 2 units were done before" in capsys.readouterr().err
    assert main([*words, "--plan"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[:2] == [f"{name}: done" for name in names[:2]] and "4 of them" in listed[-1]
    assert named(units(jobs), names[1]).done


@pytest.mark.slow
def test_processes_do_units_side_by_side(jobs, monkeypatch):
    for name in executors.THREADS:  # what it sets is set back
        monkeypatch.setenv(name, "1")
    every = of_step(units(jobs), "extract")
    with executors.processes(2) as pool:
        assert executors.run_units(every, pool) == []
    assert all(unit.done for unit in every)


PROBED = [
    *(pair for pair in TYPED if pair[0] not in ("SEEDS", "NETS")),
    ("SEEDS", "[1, 2, 3]"),
    ("FRACTIONS", "[0.05, 1.0]"),
    ("PROBE", "logistic"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("notebook", "nets"), [("02_probes", NETS[:1]), ("03_pretraining", NETS), ("04_mrl", NETS)]
)
def test_logistic_probes_are_solved_in_batches(notebook, nets, tmp_path, monkeypatch):
    """Where memory does not hold all orders, by units of their own: the measure finds them all, and
    the numbers are those of one process.
    """
    monkeypatch.setattr(logistic, "GATHERED_AT_ONCE", 1)
    typed = [*PROBED, ("NETS", json.dumps(nets))]
    typed = typed if notebook != "02_probes" else [one for one in typed if one[0] != "PROBE"]

    def jobs_with(name):
        monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / name))
        return plan("smoke", [notebook], typed, tmp_path / "reports")

    every = units(jobs_with("in units"))
    probes = of_step(every, "probes")
    selections = [unit.needs["selection"] for unit in probes]
    assert [unit.part for unit in probes if unit.net == nets[0]][:3] == [
        f"{notebook}/random/{i}-of-3" for i in (1, 2, 3)
    ]
    assert selections.count("random") == 3 * len(nets)
    assert len({unit.name for unit in every}) == len(every)
    seconds = cost(every, jobs_with("in units")).seconds
    assert min(seconds[unit.name] for unit in every) > 0

    measures = of_step(every, "measure")
    before = [one for one in every if one not in measures]
    assert executors.run_units(before[::-1], ALONE) == []
    batches = _kept(tmp_path / "in units", "logistic batch")
    assert len(batches) == len(probes)
    assert executors.run_units(measures, ALONE) == []
    others = _kept(tmp_path / "in units", "logistic batch").keys() - batches.keys()
    # a fifth at other penalties, which nothing else waits for
    assert all(len(json.loads(key)["sizes"]) == 1 for key in others)
    alone = [one for one in units(jobs_with("alone")) if one.step == "measure"]
    assert executors.run_units(alone, ALONE) == []
    by_units, by_one = (_kept(tmp_path / name, "logistic") for name in ("in units", "alone"))
    assert len(by_one) >= len(nets) and by_units.keys() == by_one.keys()
    for key, arrays in by_one.items():
        assert arrays.keys() == by_units[key].keys()
        assert all(np.array_equal(arrays[name], by_units[key][name]) for name in arrays), key


ALONE = executors.Alone()


def _kept(folder, measure):
    """What a cache holds of a measure, by key."""
    found = {}
    for path in folder.glob("curves/*.safetensors"):
        arrays, notes = tensors.read(path)
        if json.loads(notes["key"])["measure"] == measure:
            found[notes["key"]] = arrays
    return found


@pytest.mark.parametrize("typed", [[], [("LAYER", "stages")]])
def test_probes_of_one_batch_are_no_units(typed, tmp_path):
    assert of_step(units(plan("smoke", ["02_probes"], typed, tmp_path)), "probes") == []


SLURM = {
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_ARRAY_TASK_MIN": "3",
    "SLURM_ARRAY_TASK_MAX": "9",
    "SLURM_ARRAY_TASK_STEP": "2",
    "SLURM_ARRAY_TASK_COUNT": "4",
}


def test_a_shard_is_the_task_of_a_job_array(monkeypatch):
    with pytest.raises(dr.InputError, match="no task of a job array.*SLURM_ARRAY_TASK_ID is not"):
        check_shard("slurm")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert check_shard("slurm") == (3, 4)
    assert check_shard("2/5") == (2, 5)
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")  # --array 3,7,9
    with pytest.raises(dr.InputError, match=r"leaves out tasks.*SLURM_ARRAY_TASK_ID/9"):
        check_shard("slurm")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "seven")
    with pytest.raises(dr.InputError, match="its variables read"):
        check_shard("slurm")


def test_notebooks_are_kept_of_a_whole_run_alone(capsys):
    assert main(["run", "--step", "measure", "--save"]) == 2
    assert "--save keeps the notebooks of a whole run" in capsys.readouterr().err
