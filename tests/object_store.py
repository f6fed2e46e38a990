"""Servers that speak as S3 and as Azure's store do, on this machine, and a line to them that can be cut."""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from email.utils import formatdate
from http.client import HTTPConnection

import boto3
import obstore
import pytest
from botocore.config import Config
from obstore.store import AzureStore, S3Store

from matopt.buckets.bucket import bucket_at

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_REGION": "us-east-1",
    **dict.fromkeys(PROXIES, ""),
}
OTHERS = ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ALLOW_HTTP")


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@contextmanager
def s3_server(log, **settings):
    """Run a server, with settings in its environment; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port, log, {**os.environ, **ENVIRONMENT, **settings}):
        yield port


@contextmanager
def azure_server(log):
    """Run Azurite, Microsoft's own stand-in for Azure's store, where it is installed; gives its port."""
    if (program := shutil.which("azurite-blob")) is None:
        pytest.skip("no azurite-blob here: npm install --global azurite")
    port = free_port()
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    with _running([*command, "--skipApiVersionCheck", "--disableTelemetry"], port, log, dict(os.environ)):
        yield port


@contextmanager
def _running(command, port, log, environment):
    with log.open("wb") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
    try:
        patience = time.monotonic() + 60
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert time.monotonic() < patience and server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield
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


ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's, which all the world knows."""


def azure_store(port, container):
    """The container, as somebody else than matopt sees it; made if there is none, as no client of obstore's can."""
    path, when, version = f"/{ACCOUNT}/{container}", formatdate(usegmt=True), "2021-08-06"
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{when}\nx-ms-version:{version}\n/{ACCOUNT}{path}\nrestype:container"
    signature = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
    headers = {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}", "Content-Length": "0"}
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        headers |= {"x-ms-date": when, "x-ms-version": version}
        connection.request("PUT", f"{path}?restype=container", headers=headers)
        assert connection.getresponse().status in (201, 409)
    return AzureStore(
        container, account_name=ACCOUNT, account_key=ACCOUNT_KEY, endpoint=f"http://127.0.0.1:{port}/{ACCOUNT}",
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
    _begin(monkeypatch, cache)


def set_azure_environment(monkeypatch, port, cache):
    """The same of a server that speaks as Azure's store does."""
    for name in (*OTHERS, "AZURE_ALLOW_HTTP", "AZURE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in PROXIES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{port}/{ACCOUNT}")
    _begin(monkeypatch, cache)


def _begin(monkeypatch, cache):
    monkeypatch.setenv("MATOPT_CACHE", str(cache))
    bucket_at.cache_clear()  # what is connected to another server
