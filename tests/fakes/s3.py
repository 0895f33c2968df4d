"""A real S3 wire server on 127.0.0.1 (moto), for tests that must speak the protocol."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REGION = "us-east-1"
# moto checks no signature; these only have to be there.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_REGION": REGION}


@contextmanager
def s3_server() -> Iterator[str]:
    """A server on a free port for as long as the context lasts; gives its endpoint."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each call would bury why a test failed
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(endpoint: str, name: str) -> None:
    """Make an empty bucket of that name."""
    client(endpoint).create_bucket(Bucket=name)


def client(endpoint: str) -> Any:
    """A boto3 client for the server, to look at it from the other side."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="not-a-secret"
    )
