"""http(s) as a source: a real server that redirects, or says nothing of lengths."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ah_ray import storage
from ah_ray.errors import ErrorKind, ObjectDenied, VideoError

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
