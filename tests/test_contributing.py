"""The examples of CONTRIBUTING.md work as they stand."""

from __future__ import annotations

import json
import re
import tomllib

import diffused_redundancy as dr
import pytest
import yaml
from conftest import ROOT
from diffused_redundancy.measures.selections import SELECTIONS
from diffused_redundancy.nets import names, registry
from diffused_redundancy.nets.architectures import ARCHITECTURES
from diffused_redundancy.nets.losses import LOSSES
from diffused_redundancy.nets.zoo import ZOO
from diffused_redundancy.store import assets, paths
from diffused_redundancy.tasks import TASKS

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
REGISTRIES = (ARCHITECTURES, ZOO, LOSSES, SELECTIONS, TASKS)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def own_registries():
    """Registries as they were, whatever the examples enter."""
    before = [dict(entries) for entries in REGISTRIES]
    yield
    for entries, saved in zip(REGISTRIES, before, strict=True):
        entries.clear()
        entries.update(saved)


def test_a_network_a_task_a_loss_and_a_selection_are_added():
    examples = [code for code in blocks("python") if not code.startswith("# %%")]
    exec("\n".join(examples), {"__name__": "examples"})
    added = {"miniature_convnext", "smoothing", "mean", "stripes"}
    assert added <= {name for entries in REGISTRIES for name in entries}


def test_a_published_network_is_added(tmp_path, monkeypatch):
    (text,) = blocks("toml")
    (name,) = tomllib.loads(text)["weights"]
    (tmp_path / "assets.toml").write_text(text)
    known = assets.read_manifest(tmp_path / "assets.toml")
    monkeypatch.setattr(assets, "manifest", lambda: known)
    names.check(name)
    assert registry.skeleton(registry.architecture(name)).head_hidden_size == 512
    assert registry.weights_of(name).bytes == 46830571


def test_a_notebook_is_added(tmp_path, monkeypatch):
    (script,) = (code for code in blocks("python") if code.startswith("# %%"))
    (name,) = re.findall(r'dr\.begin\("(\w+)"', script)
    (tmp_path / f"{name}.py").write_text(script, encoding="utf-8")
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path)
    monkeypatch.setenv(paths.REPORT_VARIABLE, str(tmp_path / "report"))
    exec(script, {"__name__": "__main__"})
    results = json.loads((tmp_path / "report" / "results" / f"{name}.json").read_text())
    assert 0.9 < results["results"]["CKA of half, digits"] < 1
    assert (tmp_path / "report" / "tables" / f"{name}-digits.csv").is_file()


def test_what_is_named_exists():
    for path in re.findall(
        r"`((?:tests|nets|tasks|measure|findings|data|notebooks)/[\w/.]+)`", TEXT
    ):
        if path not in ("notebooks/NN_name.py", "data/checkpoints"):
            assert (ROOT / path).exists() or (ROOT / "lib/diffused_redundancy" / path).exists(), (
                path
            )


def test_hooks_use_the_linter_of_the_lock():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (ruff,) = (repo["rev"] for repo in hooks["repos"] if "ruff" in repo["repo"])
    assert re.search(rf"^ruff=={re.escape(ruff.removeprefix('v'))} ", lock, re.MULTILINE)


def test_continuous_integration_runs_the_test_command_on_every_python():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["tests"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["./tests/run.sh"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_names_of_the_changelog_exist():
    """In the column of today's names."""
    rows = re.findall(r"^\| .*? \| (.*) \|$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`dr\.(\w+)", row)}
    assert len(named) > 8 and all(hasattr(dr, name) for name in named)
