"""Downloads resume, hashes are checked, nothing half-done is left; the hub's client talks to a
server like the hub.
"""

from __future__ import annotations

import json
import socket

import diffused_redundancy as dr
import huggingface_hub.utils
import pytest
from diffused_redundancy.store import download, hub
from diffused_redundancy.store.download import DeadLink, Expected
from webserver import BODY, sha


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(download, "SILENT", set())


def test_a_file_comes_whole(server, tmp_path):
    download.download(
        f"{server.url}/file", tmp_path / "a" / "file", Expected(sha256=sha(BODY), size=len(BODY))
    )
    assert (tmp_path / "a" / "file").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


@pytest.mark.parametrize("trouble", [["cut"], [500], [503, 429, "cut"], ["cut", "cut", "cut"]])
def test_trouble_that_passes_is_overcome(server, tmp_path, trouble):
    server.plans["/file"] = list(trouble)
    download.download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    resumed = [seen for seen in server.seen if seen[2]]
    assert len(resumed) == trouble.count("cut")  # what had come was kept


@pytest.mark.parametrize("trouble", ["stall", "reset"])
def test_a_connection_that_breaks_in_the_middle_is_no_trouble_with_the_disk(
    server, tmp_path, monkeypatch, trouble
):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    server.plans["/file"] = [trouble]
    download.download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert [seen[2] for seen in server.seen] == ["", "bytes=1048576-"]
    server.plans["/file"] = [trouble] * 9
    monkeypatch.setattr(download, "TRIES", 1)
    with pytest.raises(DeadLink, match="timed out|reset by peer"):
        download.download(f"{server.url}/file", tmp_path / "again")


def test_a_disk_that_cannot_be_written_is_no_trouble_with_the_connection(server, tmp_path):
    (tmp_path / "file.part").mkdir()
    with pytest.raises(
        dr.InputError, match="cannot write .*file.part: a folder of that name is in the way"
    ):
        download.download(f"{server.url}/file", tmp_path / "file")
    assert len(server.seen) == 1


def test_tries_that_bring_something_are_not_counted(server, tmp_path):
    server.bodies["/file"] = BODY * 60
    server.plans["/file"] = ["cut", 500, 500, "cut", 500, 500, "cut", 500, 500, "cut"]
    download.download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY * 60


@pytest.mark.parametrize("expected", [Expected(), Expected(sha256=sha(BODY), size=len(BODY))])
def test_a_part_that_is_complete_is_not_fetched_again(server, tmp_path, monkeypatch, expected):
    with monkeypatch.context() as stopped:
        stopped.setattr(
            Expected, "problem", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            download.download(f"{server.url}/file", tmp_path / "file", expected)
    assert (tmp_path / "file.part").read_bytes() == BODY
    server.seen.clear()
    download.download(f"{server.url}/file", tmp_path / "file", expected)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [seen[2] for seen in server.seen] == ([] if expected.size else [f"bytes={len(BODY)}-"])


def test_a_part_that_is_spoilt_or_too_long_begins_anew(server, tmp_path):
    for content in (BODY[::-1], BODY + b"more", BODY[:100] + bytes(100)):
        (tmp_path / "file.part").write_bytes(content)
        (tmp_path / "file.part.json").write_text(
            json.dumps({"url": f"{server.url}/file", "validator": f'"{sha(BODY)}"'})
        )
        download.download(
            f"{server.url}/file", tmp_path / "file", Expected(sha256=sha(BODY), size=len(BODY))
        )
        assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("note", ["", "{", "[]", "null", "\xff"])
def test_a_broken_note_on_a_part_is_as_none(server, tmp_path, note):
    (tmp_path / "file.part").write_bytes(b"zz")
    (tmp_path / "file.part.json").write_bytes(note.encode("latin-1"))
    download.download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_another_process_goes_on_where_one_stopped(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    server.plans["/file"] = ["cut"]
    with pytest.raises(DeadLink, match="the connection broke after"):
        download.download(f"{server.url}/file", tmp_path / "file")
    assert (
        0 < (tmp_path / "file.part").stat().st_size < len(BODY) and not (tmp_path / "file").exists()
    )
    download.download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY and server.seen[-1][2].startswith("bytes=")


@pytest.mark.parametrize("how", ["noranges", "changed"])
def test_what_cannot_be_resumed_begins_anew(server, tmp_path, monkeypatch, how):
    monkeypatch.setattr(download, "TRIES", 1)
    server.plans["/file"] = ["cut"]
    with pytest.raises(DeadLink):
        download.download(f"{server.url}/file", tmp_path / "file")
    if how == "noranges":
        server.plans["/file"] = ["noranges"]
    else:
        server.bodies["/file"] = BODY[::-1]
    download.download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == server.bodies["/file"]


@pytest.mark.parametrize(
    "expected, words",
    [
        (Expected(sha256="0" * 64), "its sha256 is .* instead of 0000"),
        (Expected(sha256="0" * 8), "its sha256 is [0-9a-f]{8} instead of 00000000"),
        (Expected(md5="0" * 32), "its md5 is"),
        (Expected(size=5), "it has 2,304,000 bytes instead of 5"),
    ],
)
def test_another_file_than_expected_is_not_kept(server, tmp_path, expected, words):
    with pytest.raises(DeadLink, match=words):
        download.download(f"{server.url}/file", tmp_path / "file", expected)
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_stays_dead(server, tmp_path):
    with pytest.raises(DeadLink, match="404"):
        download.download(f"{server.url}/nothing", tmp_path / "file")
    assert len(server.seen) == 1  # what is not there is not asked for again
    server.plans["/file"] = [500] * 9
    with pytest.raises(DeadLink, match="Internal Server Error .tried 5 times"):
        download.download(f"{server.url}/file", tmp_path / "file")


def test_a_host_that_does_not_answer_is_asked_patiently_only_once(server, tmp_path):
    dead = f"http://127.0.0.1:{free_port()}"
    for words in ("tried 5 times", "tried 1 time\\)"):
        with pytest.raises(DeadLink, match=words):
            download.download(f"{dead}/file", tmp_path / "file")
    server.plans["/file"] = ["cut", 500, 500]  # others are asked as before
    download.download(f"{server.url}/file", tmp_path / "file")


def test_a_hub_that_does_not_answer_is_asked_patiently_only_once(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *given: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    for words in ("no connection.*tried 5 times", "no connection.*tried 1 time\\)"):
        with pytest.raises(DeadLink, match=words):
            hub.download("hf://timm/some.tag/model.safetensors", tmp_path / "file")


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# The hub


@pytest.fixture
def at_hub(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *given: None)
    server.bodies["/timm/some.tag/resolve/main/model.safetensors"] = BODY
    return (
        server,
        "/timm/some.tag/resolve/main/model.safetensors",
        "hf://timm/some.tag/model.safetensors",
    )


@pytest.mark.parametrize(
    "asking, giving",
    [([], []), ([500], []), ([], ["cut"]), (["ok", 502], [502, "cut"]), ([], [403, "cut", 403])],
)
def test_the_hub_gives_a_file(at_hub, tmp_path, asking, giving):
    server, path, url = at_hub
    server.plans |= {path: list(asking), f"/signed{path}": list(giving)}
    hub.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    kinds = [seen[0] for seen in server.seen if seen[1].endswith(path)]
    assert kinds.count("GET") == 1 + len(giving) and kinds.count("HEAD") == kinds.count(
        "GET"
    ) + len([what for what in asking if what != "ok"])


def test_another_process_goes_on_with_a_file_of_the_hub(at_hub, tmp_path, monkeypatch):
    server, path, url = at_hub
    server.plans[f"/signed{path}"] = ["cut"]
    with (
        monkeypatch.context() as once,
        pytest.raises(DeadLink, match="hf://timm/some.tag/model.safetensors: the connection broke"),
    ):
        once.setattr(download, "TRIES", 1)
        hub.download(url, tmp_path / "file")
    held = (tmp_path / "file.part").stat().st_size
    hub.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY and server.seen[-1][2] == f"bytes={held}-"


def test_another_version_at_the_hub_begins_anew(at_hub, tmp_path):
    server, path, url = at_hub
    (tmp_path / "file.part").write_bytes(BODY[: len(BODY) // 2])
    (tmp_path / "file.part.json").write_text(json.dumps({"url": url, "version": sha(BODY)}))
    server.bodies[path] = BODY[::-1]
    hub.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY[::-1] and {seen[2] for seen in server.seen} == {
        ""
    }


def test_a_signed_address_that_is_never_accepted(at_hub, tmp_path):
    server, path, url = at_hub
    server.plans[f"/signed{path}"] = [403] * 99
    with pytest.raises(
        DeadLink, match="hf://timm/some.tag/model.safetensors: Forbidden .tried 5 times"
    ):
        hub.download(url, tmp_path / "file")


def test_a_token_is_shown_to_the_hub_only(at_hub, tmp_path, monkeypatch):
    server, path, url = at_hub
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.download(url, tmp_path / "file")
    assert server.tokens[-2:] == [(path, "Bearer hf_secret"), (f"/signed{path}", "")]


def test_the_hub_says_what_a_file_hashes_to(at_hub, tmp_path):
    server, path, url = at_hub
    server.plans[f"/signed{path}"] = ["garbled"]
    with pytest.raises(DeadLink, match=f"its sha256 is .* instead of {sha(BODY)}"):
        hub.download(url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def forget_sessions():
    """Before version 1.0 of the hub's client, a session is offline or not from its start."""
    getattr(huggingface_hub.utils, "reset_sessions", lambda: None)()


def test_what_the_hub_does_not_have(at_hub, tmp_path, monkeypatch):
    server, path, url = at_hub
    with pytest.raises(DeadLink, match="not on the hub"):
        hub.download("hf://timm/some.tag/other.safetensors", tmp_path / "file")
    server.plans[path] = [500] * 99
    with pytest.raises(DeadLink, match="500 .*tried 5 times"):
        hub.download(url, tmp_path / "file")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True, raising=False)
    server.plans.clear()
    forget_sessions()
    with pytest.raises(DeadLink, match="HF_HUB_OFFLINE is set|no connection"):
        hub.download(url, tmp_path / "file")
    forget_sessions()
    with pytest.raises(dr.InputError, match="write hf://OWNER"):
        hub.download("hf://only", tmp_path / "file")


def test_a_file_that_the_hub_s_client_has_already_is_copied(at_hub, tmp_path, monkeypatch):
    server, _, url = at_hub
    (tmp_path / "cached").write_bytes(BODY)
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda *given: str(tmp_path / "cached")
    )
    hub.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY and server.seen == []
