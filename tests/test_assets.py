"""Assets: downloads resume, mirrors are tried, hashes are checked, nothing half-done is left; the hub's client talks to a server like the hub."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import socket
import struct
import threading

import diffused_redundancy as dr
import pytest
from diffused_redundancy.store import assets, download, hub
from diffused_redundancy.store.download import DeadLink, Expected

BODY = bytes(range(256)) * 9000  # 2.3 MB: three blocks


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Server:
    """A web server whose answers a test chooses: by path, a list of what to do with one request after the other.

    ``ok``, a status, ``cut`` (half of what was promised), ``stall`` (half, then silence), ``reset`` (half, then RST),
    ``garbled``, ``noranges``. A HEAD of a path with ``/resolve/`` is answered as the hub does: by a redirect to another
    host, at ``/signed`` and the path, with a signature that is good for one request.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.plans: dict[str, list[object]] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.tokens: list[tuple[str, str]] = []
        self.signatures = 0
        self.ending = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def empty(self, status: int, **headers: str) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "0"}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()

            def answer(self) -> None:
                path, _, query = self.path.partition("?")
                outer.seen.append((self.command, path, self.headers.get("Range", "")))
                outer.tokens.append((path, self.headers.get("Authorization", "")))
                plan = outer.plans.get(path, [])
                what = plan.pop(0) if plan else "ok"
                body = outer.bodies.get(path.removeprefix("/signed"))
                if isinstance(what, int) or body is None:
                    status = what if isinstance(what, int) else 404
                    self.empty(status, **({"X_Error_Code": "EntryNotFound"} if status == 404 and "/resolve/" in path else {}))
                    return
                if self.command == "HEAD":
                    outer.signatures += 1
                    known = {"X_Repo_Commit": "0" * 40, "X_Linked_Etag": f'"{sha(body)}"', "X_Linked_Size": str(len(body))}
                    self.empty(302, Location=f"{outer.other}/signed{path}?signature={outer.signatures}", **known)
                    return
                if path.startswith("/signed"):
                    if query != f"signature={outer.signatures}":
                        self.empty(403)
                        return
                    outer.signatures += 1  # no longer good
                wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                same = self.headers.get("If-Range", f'"{sha(body)}"') == f'"{sha(body)}"'
                start = int(wanted[1]) if wanted and what != "noranges" and same else 0
                if start >= len(body):
                    self.empty(416, Content_Range=f"bytes */{len(body)}")
                    return
                self.send_response(206 if start else 200)
                self.send_header("ETag", f'"{sha(body)}"')
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                sent = bytes(reversed(body[start:])) if what == "garbled" else body[start:]
                self.wfile.write(sent[: len(sent) // 2] if what in ("cut", "stall", "reset") else sent)
                if what in ("cut", "stall", "reset"):
                    self.close_connection = True
                if what == "stall":
                    outer.ending.wait(20)
                if what == "reset":
                    outer.ending.wait(0.3)  # for the client to take what has come
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()

            def finish(self) -> None:
                with contextlib.suppress(OSError):  # of a connection that was reset
                    super().finish()

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *about: object) -> None:
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.other = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path / "assets"


@pytest.fixture
def server():
    made = Server()
    made.bodies["/file"] = BODY
    yield made
    made.stop()


def test_a_file_comes_whole(server, tmp_path):
    download.download(f"{server.url}/file", tmp_path / "a" / "file", Expected(sha256=sha(BODY), size=len(BODY)))
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
def test_a_connection_that_breaks_in_the_middle_is_no_trouble_with_the_disk(server, tmp_path, monkeypatch, trouble):
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
    with pytest.raises(dr.InputError, match="cannot write .*file.part: a folder of that name is in the way"):
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
        stopped.setattr(Expected, "problem", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
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
        (tmp_path / "file.part.json").write_text(json.dumps({"url": f"{server.url}/file", "validator": f'"{sha(BODY)}"'}))
        download.download(f"{server.url}/file", tmp_path / "file", Expected(sha256=sha(BODY), size=len(BODY)))
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
    assert 0 < (tmp_path / "file.part").stat().st_size < len(BODY) and not (tmp_path / "file").exists()
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
    with pytest.raises(DeadLink, match="tried 5 times"):
        download.download("http://127.0.0.1:9/file", tmp_path / "file")


# The hub


@pytest.fixture
def at_hub(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *given: None)
    server.bodies["/timm/some.tag/resolve/main/model.safetensors"] = BODY
    return server, "/timm/some.tag/resolve/main/model.safetensors", "hf://timm/some.tag/model.safetensors"


@pytest.mark.parametrize("asking, giving", [([], []), ([500], []), ([], ["cut"]), (["ok", 502], [502, "cut"]), ([], [403, "cut", 403])])
def test_the_hub_gives_a_file(at_hub, tmp_path, asking, giving):
    server, path, url = at_hub
    server.plans |= {path: list(asking), f"/signed{path}": list(giving)}
    hub.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    kinds = [seen[0] for seen in server.seen if seen[1].endswith(path)]
    assert kinds.count("GET") == 1 + len(giving) and kinds.count("HEAD") == kinds.count("GET") + len([what for what in asking if what != "ok"])


def test_another_process_goes_on_with_a_file_of_the_hub(at_hub, tmp_path, monkeypatch):
    server, path, url = at_hub
    server.plans[f"/signed{path}"] = ["cut"]
    with monkeypatch.context() as once, pytest.raises(DeadLink, match="hf://timm/some.tag/model.safetensors: the connection broke"):
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
    assert (tmp_path / "file").read_bytes() == BODY[::-1] and server.seen[-1][2] == ""


def test_a_signed_address_that_is_never_accepted(at_hub, tmp_path):
    server, path, url = at_hub
    server.plans[f"/signed{path}"] = [403] * 99
    with pytest.raises(DeadLink, match="hf://timm/some.tag/model.safetensors: Forbidden .tried 5 times"):
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


def test_what_the_hub_does_not_have(at_hub, tmp_path, monkeypatch):
    server, path, url = at_hub
    with pytest.raises(DeadLink, match="not on the hub"):
        hub.download("hf://timm/some.tag/other.safetensors", tmp_path / "file")
    server.plans[path] = [500] * 99
    with pytest.raises(DeadLink, match="the hub answers 500 .tried 5 times"):
        hub.download(url, tmp_path / "file")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True, raising=False)
    server.plans.clear()
    with pytest.raises(DeadLink, match="HF_HUB_OFFLINE is set|no connection"):
        hub.download(url, tmp_path / "file")
    with pytest.raises(dr.InputError, match="write hf://OWNER"):
        hub.download("hf://only", tmp_path / "file")


def test_a_file_that_the_hub_s_client_has_already_is_copied(at_hub, tmp_path, monkeypatch):
    server, _, url = at_hub
    (tmp_path / "cached").write_bytes(BODY)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *given: str(tmp_path / "cached"))
    hub.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY and server.seen == []


# Assets


def made(server, **changes):
    entry = {"file": "net.pth", "urls": [f"{server.url}/dead", f"{server.url}/file"], "bytes": len(BODY), "source": "here", "license": "MIT"}
    return assets._asset("weights", "some.net", {**entry, **changes})


def test_an_asset_is_fetched_from_a_mirror_and_recorded(server, place):
    one = made(server)
    assert [file.name for file in assets.missing(one)] == ["net.pth"]
    (path,) = assets.require(one, fetching=True)
    assert path == place / "weights" / "some.net" / "net.pth" and path.read_bytes() == BODY
    assert assets.recorded()["weights/some.net/net.pth"]["sha256"] == sha(BODY) == assets.sha256(path)
    assert assets.missing(one) == [] and assets.verify(one) == {"net.pth": ""}
    assert [seen[1] for seen in server.seen] == ["/dead", "/file"]
    assets.require(one, fetching=True)
    assert len(server.seen) == 2  # what is here is not fetched again


def test_a_later_download_must_be_the_recorded_file(server, place):
    one = made(server)
    (path,) = assets.fetch(one)
    path.unlink()
    server.bodies["/file"] = BODY[::-1]
    with pytest.raises(dr.InputError, match="recorded was"):
        assets.fetch(one)
    assert not path.exists()


def test_damage_is_found(server):
    one = made(server)
    (path,) = assets.fetch(one)
    path.write_bytes(BODY[:-1] + b"x")
    assert "recorded was" in assets.verify(one)["net.pth"]
    assert assets.sha256(path) == sha(BODY[:-1] + b"x")  # a changed file is hashed anew
    path.write_bytes(BODY[:-1])
    assert "bytes instead of" in assets.verify(one)["net.pth"]


def test_what_cannot_be_had_names_links_and_the_way_by_hand(server, place):
    one = made(server, urls=[f"{server.url}/dead", f"{server.url}/gone"])
    with pytest.raises(dr.InputError) as caught:
        assets.fetch(one)
    for words in ("/dead: 404", "/gone: 404", str(place / "weights" / "some.net"), "assets import FOLDER"):
        assert words in str(caught.value)
    with pytest.raises(dr.InputError, match=r"weights some.net is not here: run '.* assets fetch some.net' .2.3 MB.*/dead or "):
        assets.require(one, fetching=False)
    by_hand = made(server, urls=[], by_hand="Ask for it at example.org.")
    with pytest.raises(dr.InputError, match="Ask for it at example.org. Then put net.pth in"):
        assets.require(by_hand, fetching=True)


def test_weights_in_another_format_will_do(server):
    second = {"file": "net.pth", "urls": [f"{server.url}/file"], "sha256": sha(BODY)[:8]}
    files = [{"file": "model.safetensors", "urls": [f"{server.url}/gone"]}, second]
    one = assets._asset("weights", "some.net", {"files": files, "source": "", "license": ""})
    assert [path.name for path in assets.fetch(one)] == ["net.pth"] and assets.missing(one) == []
    both = assets._asset("datasets", "some.set", {"files": files, "source": "", "license": ""})
    with pytest.raises(dr.InputError, match="model.safetensors of some.set could not be fetched: .*gone: 404"):
        assets.fetch(both)
    assert [file.name for file in assets.missing(both)] == ["model.safetensors", "net.pth"]


@pytest.mark.parametrize("name", ["net.pth", "some.net/net.pth", "some.net.pth"])
def test_a_folder_without_a_network(server, tmp_path, place, monkeypatch, name):
    one = made(server, sha256=sha(BODY), urls=[])
    other = assets._asset("weights", "other", {"file": "net.pth", "source": "", "license": ""})
    monkeypatch.setattr(assets, "manifest", lambda: {"some.net": one, "other": other})
    source = tmp_path / "stick" / name
    source.parent.mkdir(parents=True)
    source.write_bytes(BODY)
    taken = assets.import_folder(tmp_path / "stick")
    if name == "net.pth":  # two assets have a file of this name: it is told apart by its hash only
        assert [(a.name, f.name) for a, f in taken] == [("some.net", "net.pth")]
    assert one.path(one.files[0]).read_bytes() == BODY
    assert assets.missing(other)
    assert source.exists()


def test_a_wrong_file_in_a_folder_is_refused(server, tmp_path, monkeypatch):
    one = made(server, sha256=sha(b"other"), bytes=None)
    monkeypatch.setattr(assets, "manifest", lambda: {"some.net": one})
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "net.pth").write_bytes(BODY)
    with pytest.raises(dr.InputError, match="is not net.pth of some.net"):
        assets.import_folder(tmp_path / "stick")
    assert assets.missing(one)
    with pytest.raises(dr.InputError, match="no folder"):
        assets.import_folder(tmp_path / "none")


@pytest.mark.parametrize(
    "text, words",
    [
        ("[weights.a]\nfile = 'a'\nsource = 's'", "a in .* has no 'license'"),
        ("[wheights.a]\nfile = 'a'", "unknown table of .*did you mean 'weights'"),
        ("[weights", "cannot be read"),
        ("[weights.a]\nfile = '../a'\nsource = ''\nlicense = ''", "outside of the folder"),
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path, text, words):
    (tmp_path / "assets.toml").write_text(text)
    with pytest.raises(dr.InputError, match=words):
        assets.read_manifest(tmp_path / "assets.toml")
