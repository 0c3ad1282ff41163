"""How fast a model is copied from an object store to a node's disk, against a plain copy.

    python benchmarks/model_copy.py --gigabytes 3 --files 3

A server in a process of its own answers S3's listing and ranged reads from memory (`/dev/shm`), as
fast as the kernel sends files, so what is measured is our side: requests, event loop, writing. The
plain copy reads the same files from memory and writes them to the same disk. Both end with `fsync`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


class Handler(BaseHTTPRequestHandler):
    """The folder of the server as the bucket `study`; only what a copy asks for."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(with_body=False)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if "list-type" in parse_qs(url.query):
            self._list()
        else:
            self._send(with_body=True)

    def _list(self) -> None:
        entries = "".join(
            f"<Contents><Key>models/omni/{path.name}</Key><Size>{path.stat().st_size}</Size>"
            f"<ETag>&quot;{etag_of(path)}&quot;</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for path in sorted(self.folder.iterdir())
        )
        body = (
            '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'
            f"{entries}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, *, with_body: bool) -> None:
        path = self.folder / unquote(urlsplit(self.path).path).rpartition("/")[2]
        size, asked = path.stat().st_size, self.headers.get("Range")
        start, stop = 0, size
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(size, int(last) + 1 if last else size)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("ETag", f'"{etag_of(path)}"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if with_body:
            self.wfile.flush()
            with path.open("rb") as file:
                self.connection.sendfile(file, start, stop - start)


def etag_of(path: Path) -> str:
    return md5(f"{path.name} {path.stat().st_size}".encode()).hexdigest()


def serve(folder: str, port: str) -> None:
    Handler.folder = Path(folder)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def write_model(folder: Path, gigabytes: float, n_files: int) -> int:
    """Write files of the size of weights beside a tiny model's config and tokenizer."""
    from ah_ray.omni.weights.checkpoint import find_checkpoint

    tiny = find_checkpoint("tiny")
    for path in tiny.iterdir():
        if path.suffix == ".json":
            shutil.copy(path, folder)
    block = os.urandom(1 << 24)
    n_blocks = max(1, round(gigabytes * 1e9 / n_files / len(block)))
    for number in range(n_files):
        with (folder / f"model-{number:05}.safetensors").open("wb") as file:
            for _ in range(n_blocks):
                file.write(block)
    return sum(path.stat().st_size for path in folder.iterdir())


def sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def copy_plainly(source: Path, target: Path) -> float:
    began = time.perf_counter()
    target.mkdir()
    for path in source.iterdir():
        shutil.copyfile(path, target / path.name)
    sync(target)
    return time.perf_counter() - began


def copy_from_store(cache: Path) -> float:
    from ah_ray.omni.weights import download

    began = time.perf_counter()
    found = download._fetch("s3://study/models/omni", cache, lambda _: None)
    sync(found)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--files", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    from ports import free_port, wait_for_port

    with (
        tempfile.TemporaryDirectory(prefix="ah_ray-store-", dir="/dev/shm") as store,
        tempfile.TemporaryDirectory(prefix="ah_ray-copy-") as disk,
    ):
        n_bytes = write_model(Path(store), given.gigabytes, given.files)
        port = free_port()
        server = subprocess.Popen([sys.executable, __file__, "serve", store, str(port)])
        try:
            wait_for_port(port, server)
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
            }  # fmt: skip
            print(f"{n_bytes / 1e9:.2f} GB in {given.files} files\n")
            print("| round | plain copy | from the store | of the plain copy's rate |")
            print("| ---: | ---: | ---: | ---: |")
            for number in range(given.rounds):
                plain = copy_plainly(Path(store), Path(disk) / "plain")
                ours = copy_from_store(Path(disk) / "cache")
                print(
                    f"| {number + 1} | {n_bytes / 1e6 / plain:.0f} MB/s | "
                    f"{n_bytes / 1e6 / ours:.0f} MB/s | {plain / ours:.0%} |", flush=True,
                )  # fmt: skip
                for name in ("plain", "cache"):
                    shutil.rmtree(Path(disk) / name)
        finally:
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()
