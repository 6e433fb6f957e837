"""Files of the Hugging Face hub, as ``hf://OWNER/REPOSITORY/FILE``.

The hub's own client says where a file is, its size and its hash (and handles tokens, mirrors in
``$HF_ENDPOINT``, ``$HF_HUB_OFFLINE`` and files that timm downloaded earlier). The bytes come by
:func:`download.transfer`, which resumes in another process; the client's own transfer does not. The
hub redirects to signed addresses that differ each time and expire: a part is recognised by the
``hf://`` url and the hub's etag, and each try asks for a new address.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError
from . import download as web
from .files import atomic_path


def parts(url: str) -> tuple[str, str]:
    """Repository (``OWNER/NAME``) and file of an ``hf://`` url."""
    match = re.fullmatch(r"hf://([^/]+/[^/]+)/(.+)", url)
    if not match:
        raise InputError(f"{url!r} is not a file on the hub: write hf://OWNER/REPOSITORY/FILE")
    return match[1], match[2]


def page(url: str) -> str:
    """The web address of an ``hf://`` url, for people; other urls as they are."""
    if not url.startswith("hf://"):
        return url
    return "https://huggingface.co/{}/resolve/main/{}".format(*parts(url))


def _metadata(url: str, endpoint: str | None) -> Any:
    """What the hub says of a file; retried if the server fails."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    problem, host, tries = "", endpoint or "the hub", 0
    while tries < web.TRIES and not (tries and host in web.SILENT):
        if tries:
            time.sleep(min(2.0**tries, 30.0))
        tries += 1
        try:
            metadata = get_hf_file_metadata(url, timeout=web.TIMEOUT, endpoint=endpoint)
            web.SILENT.discard(host)
            return metadata
        except OfflineModeIsEnabled as error:
            raise web.DeadLink(f"{url}: HF_HUB_OFFLINE is set") from error
        except GatedRepoError as error:
            raise web.DeadLink(
                f"{url}: its terms have to be accepted on the hub first, then 'hf auth login'"
            ) from error
        except (EntryNotFoundError, RepositoryNotFoundError) as error:
            raise web.DeadLink(f"{url}: not on the hub ({type(error).__name__})") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status < 500 and status not in (408, 429):
                raise web.DeadLink(f"{url}: {status}") from error
            problem = f"the hub answers {status}"
        except Exception as error:  # of whichever HTTP library the client uses
            if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in (
                "httpx",
                "httpx2",
                "httpcore",
                "requests",
            ):
                raise
            problem = f"no connection ({error})"
            if tries == web.TRIES:
                web.SILENT.add(host)
    raise web.DeadLink(f"{url}: {problem} (tried {tries} time{'s' if tries > 1 else ''})")


def download(
    url: str, path: Path, expected: web.Expected | None = None, *, title: str = ""
) -> None:
    """Download a file of the hub; its size, and if large its SHA-256, must be what the hub says.

    Raises
    ------
    DeadLink
        If the hub does not have or give the file, or another file was sent than expected.
    """
    from huggingface_hub import get_token, hf_hub_url, try_to_load_from_cache

    repository, name = parts(url)
    expected = expected or web.Expected()
    cached = try_to_load_from_cache(repository, name)
    if isinstance(cached, str) and not expected.problem(Path(cached)):
        with atomic_path(path) as temporary:
            shutil.copyfile(cached, temporary)
        return
    endpoint = os.environ.get("HF_ENDPOINT") or None
    address = hf_hub_url(repository, name, endpoint=endpoint)

    def locate() -> web.Place:
        about = _metadata(address, endpoint)
        etag = about.etag or ""
        # the etag is the SHA-256 of files in large storage, and git's hash of others
        sha256 = expected.sha256 or (etag if re.fullmatch(r"[0-9a-f]{64}", etag) else "")
        size = about.size if expected.size is None else expected.size
        headers = {}
        # a token is for the hub, not for where it redirects to
        if urlsplit(about.location).netloc == urlsplit(address).netloc and (token := get_token()):
            headers["Authorization"] = f"Bearer {token}"
        return web.Place(about.location, web.Expected(sha256, expected.md5, size), etag, headers)

    web.transfer(url, locate, path, title=title)
