"""A proxy between a test and moto's server that misbehaves as it is told.

It also serves one request at a time, which makes moto's conditional writes atomic, as S3's are.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = int | str | None
"""None: pass it on. A number: answer with that status. `reset`: close without an answer.
`lost`: pass it on, but close without the answer. `short`: cut the answer's body in half.
`corrupt`: change a byte in the middle of it. `never`: do not answer before the proxy stops."""


@dataclass
class FaultyProxy:
    address: str
    rule: Callable[[str, str, int], Fault] = lambda method, path, count: None
    requests: list[tuple[str, str]] = field(default_factory=list)
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
            with lock:
                proxy.requests.append((self.command, self.path))
                fault = proxy.rule(self.command, self.path, len(proxy.requests))
                if fault is None or fault in ("lost", "short", "corrupt"):
                    status, headers, data = self._forward(body)
                if fault == "corrupt" and data:
                    middle = len(data) // 2
                    data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            if isinstance(fault, int):
                self._answer(fault, [], b"" if self.command == "HEAD" else _error_xml(fault))
            elif fault in ("reset", "lost"):
                self.close_connection = True
                self.connection.close()
            elif fault == "never":
                proxy.stopped.wait()
            else:
                self._answer(status, headers, data, cut=fault == "short")

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                data = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=30)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
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
        403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown",
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
