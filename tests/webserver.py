"""A web server for tests of downloads, which answers as they choose."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import struct
import threading

from diffused_redundancy.store import sha256_of as sha

BODY = bytes(range(256)) * 9000  # 2.3 MB: three blocks


class Server:
    """A web server whose answers a test chooses: by path, a list of what to do with one request
    after the other.

    ``ok``, a status, ``cut`` (half of what was promised), ``stall`` (half, then silence), ``reset``
    (half, then RST), ``garbled``, ``noranges``. A HEAD of a path with ``/resolve/`` is answered as
    the hub does: by a redirect to another host, at ``/signed`` and the path, with a signature that
    is good for one request.
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
                    self.empty(
                        status,
                        **(
                            {"X_Error_Code": "EntryNotFound"}
                            if status == 404 and "/resolve/" in path
                            else {}
                        ),
                    )
                    return
                if self.command == "HEAD":
                    outer.signatures += 1
                    known = {
                        "X_Repo_Commit": "0" * 40,
                        "X_Linked_Etag": f'"{sha(body)}"',
                        "X_Linked_Size": str(len(body)),
                    }
                    self.empty(
                        302,
                        Location=f"{outer.other}/signed{path}?signature={outer.signatures}",
                        **known,
                    )
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
                self.wfile.write(
                    sent[: len(sent) // 2] if what in ("cut", "stall", "reset") else sent
                )
                if what in ("cut", "stall", "reset"):
                    self.close_connection = True
                if what == "stall":
                    outer.ending.wait(20)
                if what == "reset":
                    outer.ending.wait(0.3)  # for the client to take what has come
                    self.connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
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
