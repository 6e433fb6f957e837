"""Pages as a browser without network shows them: what it logs, what breaks accessibility, how many
sheets they print on.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import websocket

needs_chromium = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="no Chromium to look with"
)
needs_axe = pytest.mark.skipif(
    find_spec("axe_core_python") is None, reason="axe-core-python is not installed"
)

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def chromium(page: Path, scratch: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open a page without network; ``scratch`` is a folder for the browser's own files."""
    command = ["chromium", *FLAGS, f"--user-data-dir={scratch}", *flags]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def violations(page: Path, scratch: Path, width: int, *, dark: bool = False) -> dict[str, list]:
    """What axe-core finds wrong by WCAG 2.1, levels A and AA: elements by the name of the rule.

    Everything folded is opened. The shades at the ends of wide tables are left out: behind them the
    contrast of text is not determined.
    """
    spec = find_spec("axe_core_python")
    axe = Path(str(spec.origin)).with_name("axe.min.js").read_text(encoding="utf-8")
    axe = axe.replace("</script", "<\\/script")
    text = page.read_text(encoding="utf-8")
    if dark:
        text = re.sub(r"(screen and )?\(prefers-color-scheme: dark\)", "screen", text)
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)  # axe is a script
    check = f"""<style>.table {{ background: none !important; }}</style>
<script>{axe}</script>
<script>
document.querySelectorAll("details").forEach(one => one.open = true);
axe.run(document, {{runOnly: {json.dumps(WCAG)}}}).then(found => {{
  const place = document.createElement("pre");
  place.id = "axe-found";
  place.textContent = JSON.stringify(found.violations);
  document.body.append(place);
}});
</script></body>"""
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / page.name
    copy.write_text(text.replace("</body>", check), encoding="utf-8")
    size, time = f"--window-size={width},1000", "--virtual-time-budget=20000"
    done = chromium(copy, scratch / "browser", size, time, "--dump-dom")
    found = re.search(r'<pre id="axe-found">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stderr
    listed = json.loads(html.unescape(found[1]))
    return {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in listed}


def sheets(page: Path, scratch: Path) -> int:
    """The number of sheets that a page prints on."""
    scratch.mkdir(parents=True, exist_ok=True)
    printed = scratch / "printed.pdf"
    done = chromium(
        page, scratch / "browser", "--no-pdf-header-footer", f"--print-to-pdf={printed}"
    )
    assert printed.is_file(), done.stderr
    return len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))


class Tab:
    """A page that is used: scripts are evaluated in it, and it is waited for."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket, self.number, self.errors = socket, 0, []

    def __call__(self, method: str, **parameters: object) -> dict[str, Any]:
        """A command of the Chrome DevTools Protocol; what the page complains of is kept."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                return message["result"]
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.errors.append(json.dumps(message["params"]))

    def value(self, script: str) -> Any:
        """What a script in the page gives."""
        answer = self("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 180) -> None:
        """Until a script gives something true."""
        until = time.monotonic() + seconds
        while not self.value(script):
            assert time.monotonic() < until, (script, self.errors)
            time.sleep(0.05)


@contextmanager
def opened(url: str, scratch: Path) -> Iterator[Tab]:
    """A tab that shows a page; nothing but this machine can be reached from it."""
    command = ["chromium", *FLAGS, f"--user-data-dir={scratch}", "--remote-debugging-port=0"]
    rules = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    command += [f"--host-resolver-rules={rules}", "--remote-allow-origins=*", "about:blank"]
    browser = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        ports = (re.search(r"ws://127\.0\.0\.1:(\d+)/", line) for line in browser.stderr)
        port = next(found[1] for found in ports if found)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        tab = Tab(websocket.create_connection(pages[0]["webSocketDebuggerUrl"], timeout=300))
        for domain in ("Runtime", "Log", "Page"):
            tab(f"{domain}.enable")
        tab("Page.navigate", url=url)
        tab.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")
        yield tab
        tab.socket.close()
    finally:
        browser.terminate()  # not killed: its own processes go with it
        browser.communicate(timeout=300)
