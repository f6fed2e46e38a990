"""A server that speaks S3, on this machine, behind a line that can be cut."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress

import boto3
import obstore
from botocore.config import Config
from obstore.store import S3Store

from matopt.buckets.bucket import bucket_at

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_REGION": "us-east-1",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), ""),
}
OTHERS = ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ALLOW_HTTP")


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@contextmanager
def s3_server(log, **settings):
    """Run a server, with settings in its environment; gives its port."""
    port = free_port()
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=said, stderr=said, env={**os.environ, **ENVIRONMENT, **settings},
        )  # fmt: skip
    try:
        patience = time.monotonic() + 60
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert time.monotonic() < patience and server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


def store(port, bucket):
    """The bucket, as somebody else than matopt sees it; made if there is none."""
    client("s3", port).create_bucket(Bucket=bucket)
    return S3Store(
        bucket, endpoint=f"http://127.0.0.1:{port}", region="us-east-1", access_key_id="a", secret_access_key="b",
        client_options={"allow_http": True},
    )  # fmt: skip


def client(service, port):
    """Amazon's own client of a service."""
    return boto3.client(
        service, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="a",
        aws_secret_access_key="b", config=Config(proxies={}),
    )  # fmt: skip


def keys(store, prefix=""):
    return sorted(meta["path"] for page in obstore.list(store, prefix=prefix or None) for meta in page)


class Line:
    """A line to a server on this machine: a port of its own, whose connections can be cut, and refused from then on.

    Args:
        port: the server's.
        change: of what is sent to it.
        answer: of what it says.
    """

    def __init__(self, port, change=bytes, answer=bytes):
        self._to, self.port, self._change, self._answer = port, free_port(), change, answer
        self._server, self._open = None, set()
        self.mend()

    def cut(self):
        self._server.shutdown(socket.SHUT_RDWR)  # a thread that waits for connections holds it open
        self._server.close()
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._listen, args=(self._server,), daemon=True).start()

    def _listen(self, server):
        while True:
            try:
                here, _ = server.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            for one, other, change in ((here, there, self._change), (there, here, self._answer)):
                self._open.add(one)
                threading.Thread(target=self._carry, args=(one, other, change), daemon=True).start()

    def _carry(self, one, other, change):
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(change(data))
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.discard(one)
        one.close()


def set_environment(monkeypatch, port, cache):
    """Have this process, and those that it starts, use a server's buckets, with working copies in a folder."""
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MATOPT_CACHE", str(cache))
    bucket_at.cache_clear()  # what is connected to another server
