"""http(s) as a source: real servers that list folders, redirect, or say nothing of lengths."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from web_server import serve_folder

from ah_ray import storage
from ah_ray.errors import ErrorKind, ObjectChanged, ObjectDenied, VideoError

SECRET = b"of the private network"


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server; `/to/HOST:PORT/x` redirects there, `/endless` has no end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/to/"):
                self.send_response(302)
                self.send_header("Location", f"http://{self.path[4:]}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path == "/here":
                self.send_response(302)
                self.send_header("Location", "/video.mp4")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path == "/endless":
                self.send_response(200)
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command == "GET":
                    self._pour()
                self.close_connection = True
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(SECRET)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(SECRET)

        def _pour(self) -> None:
            try:
                for _ in range(2_000):
                    self.wfile.write(b"x" * 100_000)
            except OSError:
                pass

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_a_redirect_to_another_host_is_not_followed(server, tmp_path):
    port = server.rpartition(":")[2]
    uri = f"http://{server}/to/localhost:{port}/x.mp4"  # another name, as good as another host
    for touch in (
        lambda: storage.stat(uri),
        lambda: storage.read_bytes(uri),
        lambda: storage.open_read(uri).read(),
        lambda: storage.download(uri, tmp_path / "x", etag=None, size_bytes=None),
    ):
        with pytest.raises(ObjectDenied, match=r"redirects to another host, localhost:\d+, which"):
            touch()


def test_a_redirect_on_the_same_host_is_followed(server):
    assert storage.read_bytes(f"http://{server}/here") == SECRET


def test_a_body_without_a_length_ends_at_the_limit(server, tmp_path):
    with pytest.raises(VideoError, match="max_bytes=1000000") as caught:
        storage.download(
            f"http://{server}/endless",
            tmp_path / "x",
            etag=None,
            size_bytes=None,
            max_bytes=1_000_000,
        )
    assert caught.value.kind is ErrorKind.REFUSED
    assert (tmp_path / "x").stat().st_size < 4_000_000


@pytest.fixture
def folder(tmp_path) -> Iterator[tuple[str, Path]]:
    """The address of a folder that a plain web server lists, and the folder."""
    shown = tmp_path / "shown"
    (shown / "visit 1").mkdir(parents=True)
    (shown / "visit 1" / "a 50%#.mp4").write_bytes(b"first")
    (shown / "b.mp4").write_bytes(b"second")
    os.utime(shown / "b.mp4", (1_700_000_000, 1_700_000_000))

    with serve_folder(shown) as address:
        yield address, shown


def listed(address: str) -> list[storage.Entry]:
    return [entry for page in storage.list_pages(address) for entry in page]


def test_what_was_listed_can_be_read(folder, tmp_path):
    """A listing without sizes and versions made each recording seem changed since."""
    entries = {entry.key: entry for entry in listed(folder[0])}
    assert {key: entry.size_bytes for key, entry in entries.items()} == {
        "b.mp4": 6,
        "visit%201/a%2050%25%23.mp4": 5,
    }
    assert entries["b.mp4"].last_modified == datetime.fromtimestamp(1_700_000_000, UTC)
    for entry in entries.values():
        assert storage.stat(entry.uri).etag == entry.etag
        target = tmp_path / "copy"
        storage.download(entry.uri, target, etag=entry.etag, size_bytes=entry.size_bytes)
        assert target.read_bytes() in (b"first", b"second")


def test_changed_content_is_noticed(folder, tmp_path):
    address, shown = folder
    (before,) = (entry for entry in listed(address) if entry.key == "b.mp4")
    (shown / "b.mp4").write_bytes(b"newer.")
    with pytest.raises(ObjectChanged):
        storage.download(before.uri, tmp_path / "x", etag=before.etag, size_bytes=6)
    (after,) = (entry for entry in listed(address) if entry.key == "b.mp4")
    assert after.etag != before.etag


def test_a_file_that_may_not_be_read_costs_itself(folder):
    address, shown = folder
    (shown / "gone.mp4").symlink_to(shown / "nowhere")
    entries = {entry.key: entry for entry in listed(address)}
    assert len(entries) == 3
    assert entries["gone.mp4"].problem_kind is ErrorKind.MISSING
    assert entries["b.mp4"].problem_kind is None
