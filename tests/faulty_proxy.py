"""A proxy between a test and moto's server that misbehaves as the test asks.

It also serves one request at a time, which makes moto's conditional writes atomic, as S3's are.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = int | str | None
"""None: pass it on. A number: answer with that status. `reset`: close without an answer.
`lost`: pass it on, but close without the answer. `forgotten`: answer 200, and do nothing.
`short`: cut the answer's body in half. `corrupt`: change a byte in the middle of it. `never`: do
not answer before the proxy stops."""


@dataclass
class FaultyProxy:
    address: str
    rule: Callable[[str, str, int], Fault] = lambda method, path, count: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    authorization: str = ""  # of the last request
    etags_are_literal: bool = False  # If-Match is compared with an etag without quotes
    ignores_conditions: bool = False  # as stores do that do not know If-Match and If-None-Match
    delay_s: float = 0.0  # before each answer
    hold: Callable[[str, str], None] = lambda method, path: None  # called before a request is met
    stopped: threading.Event = field(default_factory=threading.Event)

    def fail(self, times: int, fault: Fault, method: str | None = None) -> None:
        """The next `times` requests (of that method) meet `fault`."""
        left = times

        def rule(its_method: str, _path: str, _count: int) -> Fault:
            nonlocal left
            if left and method in (None, its_method):
                left -= 1
                return fault
            return None

        self.rule = rule


def _handler(proxy: FaultyProxy, upstream: str) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_) -> None:
            pass

        def _serve(self) -> None:
            body = self._body()
            if body is None:  # its client was killed: a server gets no half requests either
                self.close_connection = True
                return
            proxy.hold(self.command, self.path)
            proxy.authorization = self.headers.get("Authorization", "")
            with lock:
                proxy.requests.append((self.command, self.path))
                fault = proxy.rule(self.command, self.path, len(proxy.requests))
                if fault is None and self._is_refused():
                    fault = 412
                if fault is None or fault in ("lost", "short", "corrupt"):
                    status, headers, data = self._forward(body)
                if fault == "corrupt" and data:
                    middle = len(data) // 2
                    data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            time.sleep(proxy.delay_s)
            if isinstance(fault, int):
                self._answer(fault, [], b"" if self.command == "HEAD" else _error_xml(fault))
            elif fault == "forgotten":
                self._answer(200, [("ETag", '"00000000000000000000000000000000"')], b"")
            elif fault in ("reset", "lost"):
                self.close_connection = True
                self.connection.close()
            elif fault == "never":
                proxy.stopped.wait()
            else:
                self._answer(status, headers, data, cut=fault == "short")

        def _is_refused(self) -> bool:
            return proxy.etags_are_literal and self.headers.get("If-Match", "").startswith('"')

        def _body(self) -> bytes | None:
            """Return the whole body; None if the connection ended before it did."""
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                data = b""
                while size := int(self.rfile.readline().split(b";")[0] or b"-1", 16):
                    if size < 0:
                        return None
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data
            size = int(self.headers.get("Content-Length", 0))
            data = self.rfile.read(size)
            return data if len(data) == size else None

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=30)
            dropped = {"transfer-encoding"}
            if proxy.ignores_conditions:
                dropped |= {"if-match", "if-none-match"}
            headers = {k: v for k, v in self.headers.items() if k.lower() not in dropped}
            headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), data

        def _answer(self, status: int, headers, data: bytes, cut: bool = False) -> None:
            self.send_response_only(status)
            dropped = {"transfer-encoding", "connection"}
            if self.command != "HEAD":
                dropped.add("content-length")
                self.send_header("Content-Length", str(len(data)))
            for name, value in headers:
                if name.lower() not in dropped:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True
                self.wfile.flush()
                self.connection.close()

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve

    return Handler


def _error_xml(status: int) -> bytes:
    code = {
        400: "InvalidRequest", 403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed",
        500: "InternalError", 503: "SlowDown",
    }[status]  # fmt: skip
    return f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode()


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """Runs it in threads of this process; its address goes into AWS_ENDPOINT_URL."""
    proxy = FaultyProxy(address="")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy, upstream))
    server.daemon_threads = True
    proxy.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
