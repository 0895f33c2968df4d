"""Deleting with a pass to Azure: one request a blob, as a batch would need the whole container."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.blobs import open_blobs

SAS = "sv=2024-01-01&sr=d&sdd=3&sig=x%2By"


class Azure(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []
    answers: ClassVar[dict[str, int]] = {}

    def do_DELETE(self) -> None:
        type(self).asked.append(self.path)
        self.send_response(type(self).answers.get(self.path.partition("?")[0].rpartition("/")[2], 202))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def endpoint() -> Iterator[str]:
    Azure.asked.clear()
    Azure.answers.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Azure)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def delete(endpoint: str, *keys: str) -> None:
    found = Pass(env={"AZURE_STORAGE_ACCOUNT_NAME": "acct", "AZURE_STORAGE_SAS_TOKEN": SAS}, expires_at=9e9)
    open_blobs("az://cont/team", endpoint=endpoint, credentials=lambda: found).delete(keys)


def test_each_blob_is_deleted_by_itself_with_the_pass(endpoint: str) -> None:
    delete(endpoint, "jobs/a/ckpt/x y", "jobs/a/ckpt/two")
    assert sorted(Azure.asked) == [f"/cont/team/jobs/a/ckpt/two?{SAS}", f"/cont/team/jobs/a/ckpt/x%20y?{SAS}"]


def test_an_absent_one_counts_as_deleted(endpoint: str) -> None:
    Azure.answers["gone"] = 404
    delete(endpoint, "jobs/a/gone", "jobs/a/two")
    assert len(Azure.asked) == 2


def test_a_refusal_is_told_without_the_signature(endpoint: str) -> None:
    Azure.answers["mine"] = 403
    with pytest.raises(BlobsUnavailable, match="these credentials may not") as refused:
        delete(endpoint, "jobs/a/mine")
    assert "sig" not in refused.value.message
