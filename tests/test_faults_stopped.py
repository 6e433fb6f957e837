"""Runs that are killed, stopped, or beside one another: nothing lost, nothing half-written, nothing
left behind.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from conftest import ROOT
from diffused_redundancy.store import atomic_path, scratch_folder, sweep
from small_run import TABLE, eventually, kernel_of, kill_tree, leftovers, processes_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")


def assert_nothing_is_half_written(out, expected):
    """Whatever has its final name is complete."""
    for path in out.rglob("*.json"):
        if not path.parent.name.startswith("."):
            json.loads(path.read_text())
    for path in out.rglob("*.html"):
        assert path.read_text().rstrip().endswith("</html>")
    if (out / TABLE).exists():
        assert (out / TABLE).read_text() == expected


@pytest.mark.slow
def test_killed_twenty_times_in_a_row(small, tmp_path):
    """Five times from nothing, then with features but no curves; a killed run leaves what is whole,
    and the next run clears away the rest.
    """
    out, cache = tmp_path / "reports", tmp_path / "cache"
    moments = random.Random(0)
    alive = 0
    for number in range(20):
        if number == 5:
            shutil.rmtree(cache)
            shutil.copytree(small.cache, cache)
        shutil.rmtree(cache / "curves", ignore_errors=True)
        shutil.rmtree(out / "miniature" / "results", ignore_errors=True)  # or it is up to date
        run = small.start(out, cache=cache)
        time.sleep(moments.uniform(0, small.seconds / 2))
        alive += run.poll() is None
        if run.poll() is None:
            kill_tree(run)
        run.communicate()
        assert_nothing_is_half_written(out, small.numbers[0])
    assert alive >= 10  # the others had ended, where this machine was quicker than before
    done = small.run(out, cache=cache)
    assert done.returncode == 0, done.stderr
    small.assert_whole(out, cache)
    assert not processes_of(out)


WRITER = """
import sys, time
from pathlib import Path
from diffused_redundancy.store import atomic_path, scratch_folder
folder = Path(sys.argv[1])
with scratch_folder(folder) as scratch, atomic_path(folder / "tables" / "a.csv") as temporary:
    temporary.write_text("half")
    (scratch / "b").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_swept_and_what_is_written_is_not(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "writing\n"
    (tmp_path / ".mine.part").write_text("of somebody else")
    others = len(leftovers(tmp_path))
    sweep(tmp_path)
    assert len(leftovers(tmp_path)) == others == 3
    writer.kill()
    writer.communicate()
    with atomic_path(tmp_path / "c") as mine, scratch_folder(tmp_path) as scratch:
        mine.write_text("half")
        sweep(tmp_path)
        assert {*leftovers(tmp_path)} == {mine, scratch, tmp_path / ".mine.part"}
    assert (tmp_path / "c").read_text() == "half"
    assert leftovers(tmp_path) == [tmp_path / ".mine.part"]


class Killed(BaseException):
    """What no one catches: nothing more is done, as after a kill."""


@pytest.mark.parametrize("by_sweep", [False, True])
@pytest.mark.parametrize("last", range(7))
def test_a_kill_while_a_folder_is_removed_leaves_nothing_for_ever(
    by_sweep, last, tmp_path, monkeypatch
):
    """Whichever of its files was the last to go; seven steps, from a file deep within."""
    left = [last]

    def counted(step):
        def stepped(*args, **kwargs):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return step(*args, **kwargs)

        return stepped

    def removed():
        with scratch_folder(tmp_path) as scratch:
            (scratch / "a" / "b").mkdir(parents=True)
            for name in ("a/b/c", "d", "x"):
                (scratch / name).write_text("")
            if by_sweep:
                raise Killed
        return scratch

    if by_sweep:
        with monkeypatch.context() as killed:
            killed.setattr("diffused_redundancy.store.files._remove", lambda _: None)
            with pytest.raises(Killed):
                removed()
    with monkeypatch.context() as killed:
        killed.setattr(os, "unlink", counted(os.unlink))
        killed.setattr(os, "rmdir", counted(os.rmdir))
        with pytest.raises(Killed):
            sweep(tmp_path) if by_sweep else removed()
    assert len(leftovers(tmp_path)) == 1
    sweep(tmp_path)
    assert not leftovers(tmp_path)


def test_a_kill_before_a_folder_is_held_leaves_nothing_for_ever(tmp_path):
    (tmp_path / ".running-abcdefgh").mkdir()
    sweep(tmp_path)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("after", ["mkdtemp", "open"])
def test_a_folder_that_was_swept_before_it_was_held_is_made_again(after, tmp_path, monkeypatch):
    calls = []

    def then_swept(step):
        def stepped(*args, **kwargs):
            made = step(*args, **kwargs)
            calls.append(made)
            if len(calls) == 1:
                sweep(tmp_path)
                assert not leftovers(tmp_path)
            return made

        return stepped

    if after == "mkdtemp":
        monkeypatch.setattr(tempfile, "mkdtemp", then_swept(tempfile.mkdtemp))
    else:
        monkeypatch.setattr(os, "open", then_swept(os.open))
    with scratch_folder(tmp_path) as scratch:
        (scratch / "a").write_text("")
        assert leftovers(tmp_path) == [scratch]
    assert len(calls) > 1 and not leftovers(tmp_path)


def test_a_link_that_looks_like_a_leftover_is_not_followed(tmp_path):
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.write_text("")
    (tmp_path / ".running-abcdefgh").symlink_to(kept.parent)
    (tmp_path / ".a.csv.abcdefgh.part").symlink_to(kept)
    sweep(tmp_path)
    assert kept.exists() and len(leftovers(tmp_path)) == 2


@pytest.mark.slow
def test_the_kernel_alone_killed(small, tmp_path):
    """The notebook fails with the reason, other files stay, and the next run is whole."""
    run = small.start(tmp_path, "--force")
    kernel = eventually(lambda: kernel_of(tmp_path))
    time.sleep(1)
    kernel.kill()
    _, said = run.communicate(timeout=300)
    assert run.returncode == 1 and "Traceback" not in said, said
    assert "01_small: FAILED after" in said and "Kernel died" in said.replace("kernel", "Kernel")
    assert "memory ran out" in (tmp_path / "miniature" / "01_small.html").read_text()
    assert "failed: " in (tmp_path / "index.html").read_text()
    done = small.run(tmp_path)
    assert done.returncode == 0, done.stderr
    small.assert_whole(tmp_path)


@pytest.fixture
def heard():
    """Ctrl-C is heard by the processes of a test, also where tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("phase", ["features", "notebook"])
def test_ctrl_c(small, tmp_path, times, phase):
    """One line, status 130, and no process runs on. Once: nothing temporary is left; twice: it ends
    at once, and the next run clears up.
    """
    run = small.start(tmp_path, "--force") if phase == "features" else small.start(tmp_path)
    if phase == "features":
        assert "features of 1 pair" in run.stderr.readline()
    else:
        eventually(lambda: kernel_of(tmp_path))
    time.sleep(0.5)
    for _ in range(times):
        run.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, said = run.communicate(timeout=60)
    assert run.returncode in (130, -signal.SIGINT), said  # a shell says 130 of both
    assert "Traceback" not in said, said
    assert said.endswith("the same command resumes from there\n")
    eventually(lambda: not processes_of(tmp_path))
    if times == 1:
        assert not leftovers(tmp_path)

    def swept():  # on a busy machine the last process may still be going
        for folder in (small.cache, tmp_path, tmp_path / "miniature"):
            sweep(folder)
        return not leftovers(tmp_path, small.cache)

    eventually(swept)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_several_at_once_with_one_cache_and_one_output(small, tmp_path, count):
    """Each succeeds, each result is computed by one of them, and the reports are up to date."""
    out, cache = tmp_path / "reports", tmp_path / "cache"
    shutil.copytree(small.cache, cache)
    shutil.rmtree(cache / "curves")
    runs = [small.start(out, cache=cache) for _ in range(count)]
    said = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * count, said
    small.assert_whole(out, cache)
    assert "01_small: up to date" in small.run(out, cache=cache).stderr
