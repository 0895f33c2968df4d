"""A page in a real browser: how it lies on screens of several widths, and what it asks of the network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = """
    --headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-default-apps --disable-extensions --no-pings
    --disable-dev-shm-usage --hide-scrollbars
"""
QUIET = tuple(_QUIET.split())

# Whom the browser itself asks when it starts, whatever it is shown; and whom pages ask there.
ITS_OWN, OF_PAGES = (".google.com", ".gvt1.com", ".googleapis.com"), ("fonts.", "ajax.")

# Runs in the test's copy of the page, and tells its frame what it looks like.
MEASURE = """
addEventListener("load", () => {
  const wide = innerWidth, beyond = [];
  for (const e of document.body.querySelectorAll("*")) {
    const r = e.getBoundingClientRect();
    const cut = e.closest(".scroll") && !e.matches(".scroll");
    if (!cut && r.width && (r.right > wide + .5 || r.left < -.5))
      beyond.push(e.tagName + " " + e.textContent.slice(0, 50));
  }
  const small = [...document.querySelectorAll("text")].filter(e => e.getBoundingClientRect().height < 11).length;
  const cards = getComputedStyle(document.querySelector("dl")).display;
  const data = [...document.querySelectorAll("data")].map(e => [e.value, e.innerText]);
  const across = document.documentElement.scrollWidth, said = document.body.innerText;
  const told = {wide, across, beyond, small, cards, data, said};
  parent.postMessage(JSON.stringify(told), "*");
});
"""
FRAMES = """<!doctype html><pre id="told"></pre><script>
const told = {};
addEventListener("message", e => {
  const found = JSON.parse(e.data);
  told[found.wide] = found;
  document.getElementById("told").textContent = JSON.stringify(told);
});
</script>"""


@cache
def chromium() -> str | None:
    """Where the browser is; None: there is none on this computer, or only a script that says how to get one."""
    return next((found for name in NAMES if (found := shutil.which(name)) and _runs(found)), None)


def _runs(program: str) -> bool:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0 and "Chrom" in done.stdout


def dump(page: Path, profile: Path, *flags: str) -> str:
    """The page's elements after its load, as HTML."""
    command = [chromium() or "", *QUIET, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def measured(text: str, folder: Path, widths: tuple[int, ...]) -> dict[int, dict[str, Any]]:
    """What the page looks like on screens of these widths (pixels). No window of Chromium is narrower than 500: so each
    is a frame, and a frame is a screen to its page."""
    strict = html.escape("default-src 'none';")
    assert strict in text
    copy = text.replace(strict, strict + " script-src 'unsafe-inline';", 1)
    (folder / "copy.html").write_text(copy.replace("</body>", f"<script>{MEASURE}</script></body>", 1))
    frames = "".join(f'<iframe src="copy.html" width="{w}" height="800" style="border:0"></iframe>' for w in widths)
    (folder / "frames.html").write_text(FRAMES + frames)
    # So much time passes for the page before it is dumped, as soon as nothing is to be done: frames have told by then.
    made = dump(folder / "frames.html", folder / "profile", "--virtual-time-budget=2000")
    found = re.search(r'<pre id="told">(.*?)</pre>', made, re.DOTALL)
    assert found and found[1], made[-2000:]
    return {int(width): told for width, told in json.loads(html.unescape(found[1])).items()}


@contextmanager
def network() -> Iterator[tuple[str, list[str]]]:
    """A proxy that leads nowhere: the flag which sends a browser there, and the hosts that a page made it ask for."""
    asked: list[str] = []

    class Nowhere(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Callable[[], None]:
            if not name.startswith("do_"):
                raise AttributeError(name)
            return self.refuse

        def refuse(self) -> None:
            host = urlsplit(self.path).netloc or self.path
            if host.startswith(OF_PAGES) or not host.partition(":")[0].endswith(ITS_OWN):
                asked.append(host)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nowhere)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"--proxy-server=http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
