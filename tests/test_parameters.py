"""Parameters, presets and the command line: wrong input is one line before any work."""

from __future__ import annotations

import re
import subprocess
import sys

import diffused_redundancy as dr
import pytest
from conftest import ROOT
from diffused_redundancy import parameters, presets
from diffused_redundancy.__main__ import main
from diffused_redundancy.measures.selections import SELECTIONS


@pytest.mark.parametrize("notebook", parameters.available())
def test_declared_parameters_are_valid_and_understood_by_papermill(notebook):
    known = parameters.declared(notebook)
    assert known and all(one.help for one in known.values())
    for name, one in known.items():
        assert parameters.checked(name, one.default) == one.default
    text = parameters.source(notebook).read_text(encoding="utf-8")
    from papermill.translators import PythonTranslator

    cell = text.split('tags=["parameters"]')[1].split("# %%")[0]
    theirs = {
        found.name: found
        for found in PythonTranslator.inspect(
            type("Cell", (dict,), {"__getattr__": dict.get})(source=cell)
        )
    }
    assert set(theirs) == set(known)
    assert all(theirs[name].help for name in known)


def test_the_authors_other_runs_are_presets():
    """30 seeds of the robust ResNet50 at three sizes, principal components of other families, and
    finer fractions than the paper's.
    """
    seeds, pca = presets.preset("paper-seeds"), presets.preset("paper-pca")
    assert seeds.notebooks == pca.notebooks == ("02_probes",)
    values = seeds.of("02_probes")
    assert values["NETS"] == ["resnet50.robust_l2_3"] and values["TASKS"] == ["cifar10", "cifar100"]
    assert values["SEEDS"] == list(range(1, 31)) and values["FRACTIONS"] == [0.1, 0.2, 0.3, 1.0]
    values = pca.of("02_probes")
    families = {net.partition(".")[0] for net in values["NETS"]}
    assert families == {
        *("vit_small_patch16_224", "vit_small_patch32_224", "vgg16_bn", "resnet18"),
        "wide_resnet50_2",
    }
    assert set(values["SELECTIONS"]) == {"random", "pca", "pca_least"}
    assert set(parameters.PRESET_SELECTIONS) <= set(SELECTIONS)
    assert values["TASKS"] == presets.preset("paper").everywhere["TASKS"]
    finer = {0.02, 0.03, 0.04, 0.075, 0.15, 0.25, 0.4}
    assert finer <= set(presets.preset("paper").everywhere["FRACTIONS"])
    for notebook in ("02_probes", "03_pretraining", "06_layers"):
        assert finer <= set(parameters.declared(notebook)["FRACTIONS"].default)


@pytest.mark.parametrize("name", presets.presets())
def test_presets_are_valid(name, tmp_path):
    preset = presets.preset(name)
    assert preset.description
    for part in ("cifar10", "flower_photos"):
        (tmp_path / part).mkdir()
    for notebook in parameters.available():
        values = presets.in_folder(preset.of(notebook), tmp_path, name)
        parameters.checked_all(notebook, values)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("SEEDS", [], "SEEDS is empty"),
        ("SEEDS", "[1, 2]", "must be a list"),
        ("SEEDS", [1.5], "must be a whole number"),
        ("SEEDS", [float("inf")], "must be a whole number"),
        ("DELTAS", [float("nan")], "must be a number"),
        ("SEEDS", [True], "must be a whole number"),
        ("SEEDS", [-1], r"-1 is out of range: allowed is from 0 .*nearest: 0"),
        ("SEEDS", [1, 1], "holds 1 twice"),
        ("FRACTIONS", [0.0], "above 0"),
        ("FRACTIONS", [1.5], "nearest: 1"),
        ("DELTAS", [2.0], "DELTAS: 2 is out of range"),
        ("TASKS", ["digit"], "did you mean 'digits'"),
        ("TASKS", [3], "must be text"),
        ("TASKS", ["folder:/no/such/folder"], "TASKS: there is no '/no/such/folder'"),
        ("NETS", ["resnet18.tv_in1k@/no/such/file.pt"], "NETS: there is no '/no/such/file.pt'"),
        ("NETS", ["miniature_resnet.standard"], "did you mean 'miniature_resnet.standard_s1'"),
        ("SELECTIONS", ["radnom"], "did you mean 'random'"),
        ("DEVICE", "gpu", "unknown device 'gpu'.*Allowed: auto, cpu, cuda, mps"),
        ("ORDERS", 1, "nearest: 2"),
    ],
)
def test_bad_values(name, value, words):
    with pytest.raises(dr.InputError, match=words) as caught:
        parameters.checked(name, value)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_values_are_converted():
    assert parameters.checked("SEEDS", (1, 2.0)) == [1, 2]
    assert parameters.checked("FRACTIONS", []) == []  # every size
    assert parameters.checked("FRACTIONS", [1]) == [1.0] and isinstance(
        parameters.checked("FRACTIONS", [1])[0], float
    )


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("SEEDS", "[1, 2]", [1, 2]),
        ("SEEDS", "3", [3]),
        ("TASKS", "digits", ["digits"]),
        ("FRACTIONS", "[1e-3, .5]", [0.001, 0.5]),
        ("DEVICE", "cpu", "cpu"),
        ("IMAGES", "1_000", 1000),
        ("IMAGES", "1e3", 1000.0),
        ("SEEDS", "0x10", [16]),
        ("SEEDS", "[0, 10]", [0, 10]),
        ("LAYER", "1.10", "1.10"),
        ("LAYERS", "[0, on, 1:30, 010, 2001-01-01]", ["0", "on", "1:30", "010", "2001-01-01"]),
    ],
)
def test_typed_values(name, text, value):
    assert parameters.parse(name, text) == value


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("SEEDS", "1:30", r"1:30, which YAML reads as a time, 90: write 90 .*\[1, 2, 3\]"),
        ("SEEDS", "[5, 1:30]", "1:30, which YAML reads as a time, 90"),
        ("IMAGES", "1:30", "write 90 if that is meant$"),
        ("SEEDS", "010", "010, which YAML reads as an octal number, 8: write 10 or 8"),
        ("SEEDS", "[010, 011]", "write 10 or 8"),
        ("SEEDS", "08", "write 8"),
        ("FRACTIONS", "[0.5, 010]", "write 10 or 8"),
        ("SEEDS", "1_2", "1_2, which YAML reads as one number, 12: write 12"),
        ("IMAGES", "on", "on, which YAML reads as a truth value: write a whole number"),
        ("SEEDS", "[Yes]", "Yes, which YAML reads as a truth value"),
    ],
)
def test_numbers_that_yaml_reads_as_others_are_refused(tmp_path, name, text, words):
    with pytest.raises(dr.InputError, match=words) as caught:
        parameters.parse(name, text)
    assert str(caught.value).startswith(f"{name} holds ")
    path = tmp_path / "mine.yaml"
    for section in ("everywhere", "02_probes"):
        path.write_text(f"{section}:\n  {name}: {text}\n")
        with pytest.raises(dr.InputError, match=words):
            presets.preset(str(path))


def test_a_preset_takes_text_as_it_is_written(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("description: 2024\n06_layers:\n  LAYERS: [0, on]\n  IMAGES: 50\n")
    made = presets.preset(str(path))
    assert made.description == "2024"
    assert made.single == {"06_layers": {"LAYERS": ["0", "on"], "IMAGES": 50}}


@pytest.mark.parametrize(
    "text, words",
    [
        (b"everywhere:\n  IMAGES: 5\n  IMAGES: 9\n", "preset mine: IMAGES is given twice"),
        (b"everywhere: [1]\n", "section everywhere of preset mine is .* values by name"),
        (b"description: \xff\n", "not valid YAML"),
    ],
)
def test_a_preset_that_cannot_be_read_is_one_line(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text)
    with pytest.raises(dr.InputError, match=words):
        presets.preset(str(path))


def test_a_notebook_finds_misspelt_parameters():
    good = {name: one.default for name, one in parameters.declared("01_cka").items()}
    assert dr.begin("01_cka", good).parameters == good
    with pytest.raises(
        dr.InputError, match="unknown parameter of 01_cka 'SEEDZ': did you mean 'SEEDS'"
    ):
        dr.begin("01_cka", {**good, "SEEDZ": [1]})


@pytest.mark.parametrize(
    "words, message",
    [
        (["--preset", "minature"], "did you mean 'miniature'"),
        (["--only", "01_ckaa"], "did you mean '01_cka'"),
        (["--only", "01_cka", "-p", "SEEDZ", "[1]"], "did you mean 'SEEDS'"),
        (["--only", "01_cka", "-p", "SEEDS", "[a]"], "must be a whole number"),
        (["--only", "01_cka", "-p", "SEEDS", "[1"], "cannot be read as a value"),
        (["--jobs", "0"], "nearest: 1"),
    ],
)
def test_the_run_command_refuses_before_any_work(tmp_path, capsys, words, message):
    assert main(["run", "--out", str(tmp_path / "reports"), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and re.search(message, said) and said.count("\n") == 1
    assert not (tmp_path / "reports").exists()


def test_run_list_and_pretrain_list(capsys):
    assert main(["run", "--list"]) == 0
    listed = capsys.readouterr().out
    assert (
        "02_probes" in listed and "SEEDS = [1, 2, 3, 4, 5]" in listed and "preset smoke" in listed
    )
    assert main(["pretrain"]) == 0
    assert "miniature_resnet.standard_s1" in capsys.readouterr().out


def test_help_needs_no_environment():
    """``./run_all.sh --help`` runs with a bare Python: nothing but the standard library is
    imported.
    """
    code = (
        "import sys; sys.path.insert(0, 'lib'); "
        "from diffused_redundancy.__main__ import main; main(['run', '--help'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and "--preset" in done.stdout, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["assets", "--help"], ["run", "--list"]])
def test_what_computes_nothing_imports_no_torch(words):
    code = (
        "import sys\nfrom diffused_redundancy.__main__ import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("command", ["measure", "pretrain", "assets", "execute", "features"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0 and "usage:" in capsys.readouterr().out


def test_patterns_stand_for_the_nets_they_match():
    from diffused_redundancy.nets.names import expanded

    found = expanded(["miniature_resnet.mrl_s2", "*.mrl_*", "resnet18.tv_in1k@/x"])
    assert found == [
        "miniature_resnet.mrl_s2",
        *(f"miniature_resnet.mrl_s{seed}" for seed in (1, 3, 4, 5)),
        "miniature_resnet.mrl_e_s1",
        "resnet18.tv_in1k@/x",
    ]
    with pytest.raises(dr.InputError, match="no network matches '\\*.mlr_\\*'"):
        parameters.checked("NETS", ["*.mlr_*"])
    assert parameters.checked("NETS", ["*.mrl_*"]) == ["*.mrl_*"]
    with pytest.raises(dr.InputError, match="did you mean 'logistic'"):
        parameters.checked("PROBE", "logistics")


def test_parameters_of_all_notebooks_are_found():
    """A parameter cell that papermill cannot read, such as one with a line broken in two, loses
    parameters silently.
    """
    for notebook in parameters.available():
        text = parameters.source(notebook).read_text(encoding="utf-8")
        cell = (
            text.partition('tags=["parameters"]')[2].partition("# %%")[0].strip().splitlines()[0:]
        )
        lines = [line for line in cell if line]
        assert all(re.fullmatch(r"[A-Z]+: [a-z\[\]]+ = [^=#]+  # [^=]+", line) for line in lines), (
            notebook
        )
        assert len(lines) == len(parameters.declared(notebook))
        assert all(one.help for one in parameters.declared(notebook).values())


def test_an_unknown_layer_is_found_before_any_work():
    with pytest.raises(
        dr.InputError,
        match="unknown layer of miniature_resnet.standard_s1 'layer5': did you mean 'layer",
    ):
        dr.begin(
            "06_layers",
            {"NETS": ["miniature_resnet.standard_s1"], "LAYERS": ["layer5"], "DEVICE": "cpu"},
        )
    with pytest.raises(dr.InputError, match="did you mean 'penultimate'"):
        dr.begin(
            "01_cka",
            {"NETS": ["miniature_resnet.standard_s1"], "LAYER": "penultimat", "DEVICE": "cpu"},
        )
