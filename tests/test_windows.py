"""What Windows lacks is not needed. No Windows is at hand: its lacks are simulated, in processes
where the package finds neither the modules nor the functions that are POSIX's alone.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from diffused_redundancy import __main__ as command_line
from diffused_redundancy.pipeline import memory, runner

sys.path.insert(0, str(ROOT / "lib"))
import bootstrap

POSIX_MODULES = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}
POSIX_NAMES = {
    *("chown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getloadavg"),
    *("getpgid", "getuid", "killpg", "mkfifo", "nice", "posix_spawn", "sched_getaffinity"),
    *("setsid", "statvfs", "sysconf", "uname", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL"),
    *("SIGUSR1", "SIGUSR2", "alarm", "pause", "setitimer", "tzset", "clock_gettime"),
}

LACKS = f"""
import builtins, os, signal, sys, time, types
OURS = ("diffused_redundancy", "__main__", "bootstrap")
here = lambda frame: str(frame.f_globals.get("__name__", "")).startswith(OURS)
whole = builtins.__import__

def imported(name, *more, **named):
    if name in {POSIX_MODULES!r} and here(sys._getframe(1)):
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    return whole(name, *more, **named)

class Lacking(types.ModuleType):
    def __getattribute__(self, name):
        if name in {POSIX_NAMES!r} and here(sys._getframe(1)):
            raise AttributeError(f"no {{name}} on Windows")
        return super().__getattribute__(name)

builtins.__import__ = imported
for module in (os, signal, time):
    module.__class__ = Lacking
"""
"""A ``sitecustomize`` that hides them from this package, and from no other."""


@pytest.fixture
def lacking(tmp_path):
    """The environment of processes that lack them."""
    place = tmp_path / "windows"
    place.mkdir()
    (place / "sitecustomize.py").write_text(LACKS, encoding="utf-8")
    paths = os.pathsep.join([str(place), str(ROOT / "lib")])
    return {**os.environ, "PYTHONPATH": paths, "DIFFUSED_REDUNDANCY_CACHE": str(tmp_path / "cache")}


def test_the_simulation_hides_what_windows_lacks(lacking):
    script = """
import os, signal, subprocess
for name, module in (("killpg", os), ("SIGKILL", signal)):
    assert not hasattr(module, name), name
try:
    import resource
except ModuleNotFoundError:
    subprocess.run(["true"], start_new_session=True)  # others still have everything
    print("hidden")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=lacking, capture_output=True, text=True
    )
    assert done.stdout == "hidden\n", done.stderr


@pytest.mark.slow
def test_a_notebook_runs_without_what_windows_lacks(lacking, tmp_path):
    words = ["run", "--preset", "smoke", "--only", "00_getting_started", "--out"]
    done = subprocess.run(
        [sys.executable, "-m", "diffused_redundancy", *words, str(tmp_path / "reports")],
        env=lacking,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "reports" / "smoke"
    assert (folder / "00_getting_started.html").is_file()
    kept = folder / "results" / "00_getting_started.outcome.json"
    assert 0.1 < json.loads(kept.read_text(encoding="utf-8"))["memory"] < 10
    for path in (tmp_path / "reports").rglob("*"):
        assert allowed(path.relative_to(tmp_path).as_posix()), path


def test_children_are_watched_where_the_system_keeps_no_count(monkeypatch):
    monkeypatch.setattr(memory, "resource", None)
    monkeypatch.setattr(memory, "INTERVAL", 0.05)
    with memory.peak_memory() as peak:
        script = "import time; held = bytearray(200 << 20); time.sleep(0.5)"
        subprocess.run([sys.executable, "-c", script], check=True)
        assert 200 / 1024 < peak() < 0.5


def test_a_child_is_stopped_without_groups_of_processes(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], text=True)
    monkeypatch.delattr(os, "killpg", raising=False)
    monkeypatch.delattr(signal, "SIGKILL", raising=False)
    runner._stop([child])
    began = time.monotonic()
    assert child.wait(timeout=30) != 0 and time.monotonic() - began < 30


def test_another_encoding_restarts_the_command_and_waits_for_it(monkeypatch):
    started = []
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "cp1252")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "diffused_redundancy", "run"])
    monkeypatch.setattr(subprocess, "call", lambda words: started.append(words) or 7)
    with pytest.raises(SystemExit) as ended:
        command_line._with_utf8(None)
    assert ended.value.code == 7
    assert started == [[sys.executable, "-X", "utf8", "-m", "diffused_redundancy", "run"]]


def test_the_environment_is_made_without_fcntl(monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with bootstrap.alone():
        entered = True
    assert entered


RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789"),
}


def allowed(path: str) -> bool:
    """Whether Windows can hold a file, in a folder whose own path is not too long."""
    parts = path.split("/")
    return len(path) < 160 and not any(
        re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]$', part) or part.split(".")[0].lower() in RESERVED
        for part in parts
    )


def test_windows_can_hold_every_file():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    names = {name for name in tracked.stdout.split("\0") if name}
    assert [name for name in names if not allowed(name)] == []
    assert len({name.lower() for name in names}) == len(names)
    assert (
        not allowed("a/b:c") and not allowed("nul.txt") and not allowed("a./b") and allowed("a.b")
    )


def top_level(tree: ast.Module):
    """The nodes that run at import, but for those that may fail."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.Try):
            yield node
            waiting += ast.iter_child_nodes(node)


FILES = sorted([*(ROOT / "lib").rglob("*.py"), *(ROOT / "course").rglob("*.py")])


def test_no_module_needs_a_posix_module_to_be_imported():
    for path in FILES:
        for node in top_level(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not POSIX_MODULES & {*names}, path


def test_texts_are_read_and_written_in_utf_8():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            named = {keyword.arg for keyword in node.keywords}
            given = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if name in ("read_text", "write_text") and isinstance(node.func, ast.Attribute):
                known = "encoding" in named or any("utf" in str(one) for one in given)
                assert known, f"{path}:{node.lineno}"
            if name == "open" and isinstance(node.func, ast.Name):
                modes = [one for arg in node.args[1:] for one in ast.walk(arg)]
                binary = any("b" in str(getattr(one, "value", "")) for one in modes)
                assert binary or "encoding" in named, f"{path}:{node.lineno}"
            if name == "strftime":
                assert not any("%-" in str(one) for one in given), f"{path}:{node.lineno}"
