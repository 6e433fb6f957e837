"""Assets: mirrors are tried, hashes are recorded and checked, folders are taken in, and messages
say what to do.
"""

from __future__ import annotations

import os

import diffused_redundancy as dr
import pytest
from diffused_redundancy.store import assets, imports
from webserver import BODY, sha


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path / "assets"


def asset_of(server, **changes):
    entry = {
        "file": "net.pth",
        "urls": [f"{server.url}/dead", f"{server.url}/file"],
        "bytes": len(BODY),
        "source": "here",
        "license": "MIT",
    }
    return assets._asset("weights", "some.net", {**entry, **changes})


def test_an_asset_is_fetched_from_a_mirror_and_recorded(server, place):
    asset = asset_of(server)
    assert [file.name for file in assets.missing(asset)] == ["net.pth"]
    (path,) = assets.require(asset, fetching=True)
    assert path == place / "weights" / "some.net" / "net.pth" and path.read_bytes() == BODY
    assert (
        assets.recorded()["weights/some.net/net.pth"]["sha256"] == sha(BODY) == assets.sha256(path)
    )
    assert assets.missing(asset) == [] and assets.verify(asset) == {"net.pth": ""}
    assert [seen[1] for seen in server.seen] == ["/dead", "/file"]
    assets.require(asset, fetching=True)
    assert len(server.seen) == 2  # what is here is not fetched again


def test_a_mirror_completes_what_another_began(server, place, monkeypatch):
    """If the file's hash is known; it decides in the end whether the parts fit."""
    monkeypatch.setattr("diffused_redundancy.store.download.TRIES", 1)
    server.bodies["/first"] = server.bodies["/second"] = BODY
    links = [f"{server.url}/first", f"{server.url}/second"]
    for known, rest in ((sha(BODY), f"bytes={len(BODY) // 2}-"), ("", "")):
        server.seen.clear()
        server.plans["/first"] = ["cut"]
        asset = asset_of(server, urls=links, sha256=known, file=f"{known}.pth")
        (path,) = assets.fetch(asset)
        assert path.read_bytes() == BODY
        assert [seen[1:] for seen in server.seen] == [("/first", ""), ("/second", rest)]


def test_a_later_download_must_be_the_recorded_file(server, place):
    asset = asset_of(server)
    (path,) = assets.fetch(asset)
    path.unlink()
    server.bodies["/file"] = BODY[::-1]
    with pytest.raises(dr.InputError, match="recorded was"):
        assets.fetch(asset)
    assert not path.exists()


def test_damage_is_found(server):
    asset = asset_of(server)
    (path,) = assets.fetch(asset)
    path.write_bytes(BODY[:-1] + b"x")
    assert "recorded was" in assets.verify(asset)["net.pth"]
    assert assets.sha256(path) == sha(BODY[:-1] + b"x")  # a changed file is hashed anew
    path.write_bytes(BODY[:-1])
    assert "bytes instead of" in assets.verify(asset)["net.pth"]


def test_what_cannot_be_had_names_links_and_the_way_by_hand(server, place):
    asset = asset_of(server, urls=[f"{server.url}/dead", f"{server.url}/gone"])
    with pytest.raises(dr.InputError) as caught:
        assets.fetch(asset)
    for words in (
        "/dead: 404",
        "/gone: 404",
        str(place / "weights" / "some.net"),
        "assets import FOLDER",
    ):
        assert words in str(caught.value)
    with pytest.raises(
        dr.InputError,
        match=r"weights some.net is not here: run '.* assets fetch some.net' .2.3 MB.*/dead or ",
    ):
        assets.require(asset, fetching=False)
    by_hand = asset_of(server, urls=[], by_hand="Ask for it at example.org.")
    with pytest.raises(dr.InputError, match="Ask for it at example.org. Then put net.pth in"):
        assets.require(by_hand, fetching=True)


def test_each_file_is_named_with_its_own_links():
    advice = assets.how_to_get(assets.asset("flowers102"))
    home = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
    files = "; ".join(
        f"flowers-102/{name} from {home}/{name}"
        for name in ("102flowers.tgz", "imagelabels.mat", "setid.mat")
    )
    assert advice.endswith(f"datasets/flowers102 {files}")
    advice = assets.how_to_get(assets.asset("resnet18.tv_in1k"))
    assert "model.safetensors from https://huggingface.co/timm/" in advice
    assert advice.endswith(
        "; or resnet18-f37072fd.pth from https://download.pytorch.org/models/resnet18-f37072fd.pth"
    )


@pytest.mark.parametrize(
    "name, size, least",
    [
        ("imagenet", "at least 155 GB", 147897477120 + 6744924160),
        ("cifar10", "170 MB", 170498071),
        ("resnet50.mrl", "about 110 MB", 110e6),
        ("resnet50.dropout_0.1", "size not known", 0),
    ],
)
def test_sizes_tell_what_is_known(name, size, least):
    asset = assets.asset(name)
    assert (asset.size, asset.least_bytes) == (size, least)


# Files that users put there


def put(asset, content=BODY):
    path = asset.path(asset.files[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_put_there_is_checked_when_first_used_and_when_it_changes(server, monkeypatch):
    asset = asset_of(server, sha256=sha(BODY)[:8])
    path = put(asset, BODY[::-1])
    words = (
        rf"net.pth is not net.pth of some.net: its sha256 is {sha(BODY[::-1])[:8]} "
        r"instead "
        r"of .* move it away. Then run '.*fetch some.net'"
    )
    with pytest.raises(dr.InputError, match=words):
        assets.require(asset, fetching=True)
    assert (
        path.read_bytes() == BODY[::-1] and assets.recorded() == {} and server.seen == []
    )  # kept, and nothing fetched over it
    put(asset)
    assert assets.require(asset, fetching=False) == [path]
    entry = assets.recorded()["weights/some.net/net.pth"]
    assert (entry["sha256"], entry["bytes"], entry["changed"]) == (
        sha(BODY),
        len(BODY),
        path.stat().st_mtime_ns,
    )
    with monkeypatch.context() as untouched:  # of the same size and time: not read again
        untouched.setattr(assets, "sha256_of", lambda *given: pytest.fail("hashed again"))
        untouched.setattr(assets.Expected, "problem", lambda *given: pytest.fail("checked again"))
        assert assets.require(asset, fetching=False) == [path] and assets.sha256(path) == sha(BODY)
    with pytest.raises(dr.InputError, match=f"instead of {'0' * 8}"):  # a hash published since
        assets.require(asset_of(server, sha256="0" * 8), fetching=False)
    put(asset, BODY[::-1])
    os.utime(path, ns=(0, 0))
    with pytest.raises(dr.InputError, match="instead of"):
        assets.require(asset, fetching=False)


def test_what_was_fetched_may_not_change_but_the_user_s_own_may(server):
    fetched = asset_of(server)
    assets.require(fetched, fetching=True)
    put(fetched, BODY[::-1])
    with pytest.raises(
        dr.InputError, match="recorded was .* take its entry out of .*recorded.json"
    ):
        assets.require(fetched, fetching=True)
    own = assets._asset(
        "weights", "own.net", {"file": "own.pth", "by_hand": "Ask.", "source": "", "license": ""}
    )
    for content in (BODY, BODY[::-1]):  # nothing is published of it
        path = put(own, content)
        assert assets.require(own, fetching=False) == [path] and assets.sha256(path) == sha(content)


def test_a_folder_shared_for_reading_only_serves(server, monkeypatch):
    asset = asset_of(server, sha256=sha(BODY))
    path = put(asset)

    def refuse(*given):
        raise PermissionError("read-only")

    monkeypatch.setattr(assets, "FileLock", refuse)
    assert assets.require(asset, fetching=False) == [path] and assets.recorded() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"a":',
        "[]",
        "\xff",
        '{"weights/some.net/net.pth": 1}',
        '{"weights/some.net/net.pth": {"sha256": "0"}}',
    ],
)
def test_a_broken_record_counts_as_none(server, place, capsys, text):
    assets._warn_once.cache_clear()  # of another test, whose folder had the same name
    asset = asset_of(server)
    (path,) = assets.fetch(asset)
    (place / "recorded.json").write_bytes(text.encode("latin-1"))
    assert assets.recorded() == {} and assets.recorded() == {}
    (warning,) = capsys.readouterr().err.splitlines()  # once
    assert str(place / "recorded.json") in warning
    assert assets.verify(asset) == {"net.pth": ""}
    assert assets.require(asset, fetching=False) == [path]
    assert assets.recorded()["weights/some.net/net.pth"]["sha256"] == sha(BODY)


def test_weights_in_another_format_will_do(server):
    second = {"file": "net.pth", "urls": [f"{server.url}/file"], "sha256": sha(BODY)[:8]}
    files = [{"file": "model.safetensors", "urls": [f"{server.url}/gone"]}, second]
    asset = assets._asset("weights", "some.net", {"files": files, "source": "", "license": ""})
    assert [path.name for path in assets.fetch(asset)] == ["net.pth"] and assets.missing(
        asset
    ) == []
    both = assets._asset("datasets", "some.set", {"files": files, "source": "", "license": ""})
    with pytest.raises(
        dr.InputError, match="model.safetensors of some.set could not be downloaded: .*gone: 404"
    ):
        assets.fetch(both)
    assert [file.name for file in assets.missing(both)] == ["model.safetensors", "net.pth"]


@pytest.mark.parametrize("name", ["net.pth", "some.net/net.pth", "some.net.pth"])
def test_a_folder_without_a_network(server, tmp_path, place, monkeypatch, name):
    asset = asset_of(server, sha256=sha(BODY), urls=[])
    other = assets._asset("weights", "other", {"file": "net.pth", "source": "", "license": ""})
    monkeypatch.setattr(imports, "manifest", lambda: {"some.net": asset, "other": other})
    source = tmp_path / "stick" / name
    source.parent.mkdir(parents=True)
    source.write_bytes(BODY)
    imported, errors = imports.import_folder(tmp_path / "stick")
    assert errors == []
    if name == "net.pth":  # two assets have a file of this name: it is told apart by its hash only
        assert [(asset.name, file.name) for asset, file in imported] == [("some.net", "net.pth")]
    assert asset.path(asset.files[0]).read_bytes() == BODY
    assert assets.missing(other)
    assert source.exists()


def test_a_wrong_file_in_a_folder_does_not_keep_others_out(server, tmp_path):
    asset = asset_of(server, sha256=sha(b"other"), bytes=None)
    other = assets._asset("weights", "other", {"file": "other.pth", "source": "", "license": ""})
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "net.pth").write_bytes(BODY)
    (tmp_path / "stick" / "other.pth").write_bytes(BODY)
    imported, errors = imports.import_folder(tmp_path / "stick", [asset, other])
    assert [(asset.name, file.name) for asset, file in imported] == [("other", "other.pth")]
    assert (
        len(errors) == 1
        and f"net.pth is not net.pth of some.net: its sha256 is {sha(BODY)} instead of" in errors[0]
    )
    assert assets.missing(asset) and list(asset.place.parent.iterdir()) == [other.place]
    with pytest.raises(dr.InputError, match="no folder"):
        imports.import_folder(tmp_path / "none")


def test_a_second_file_of_the_name_is_tried(server, tmp_path):
    asset = asset_of(server, sha256=sha(BODY))
    for name, content in (("a", b"wrong"), ("b", BODY)):
        (tmp_path / "stick" / name).mkdir(parents=True)
        (tmp_path / "stick" / name / "net.pth").write_bytes(content)
    imported, errors = imports.import_folder(tmp_path / "stick", [asset])
    assert len(imported) == len(errors) == 1 and asset.path(asset.files[0]).read_bytes() == BODY


@pytest.mark.parametrize(
    "path, name",
    [
        ("mrl/Imagenet1k_R50_mrl/final_weights.pt", "resnet50.mrl"),
        ("fixed-feature/Imagenet1k_R50_ff16/final_weights.pt", "resnet50.ff_16"),
        ("resnet50.mrl_e/final_weights.pt", "resnet50.mrl_e"),
        ("vgg16_bn.robust_l2_3.pth", None),  # the file is a .ckpt
        ("resnet50_dropout_0.5.ckpt", "resnet50.dropout_0.5"),
        ("final_weights.pt", None),
        ("wide_resnet50_4.robust_l2_3.ckpt", "wide_resnet50_4.robust_l2_3"),
    ],
)
def test_layouts_of_publishers_are_known(tmp_path, path, name):
    (tmp_path / "stick" / path).parent.mkdir(parents=True)
    (tmp_path / "stick" / path).write_bytes(b"weights")
    imported, errors = imports.import_folder(tmp_path / "stick")
    assert [asset.name for asset, _ in imported] == ([name] if name else []) and errors == []


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
