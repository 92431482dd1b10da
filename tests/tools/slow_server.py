"""A directory over HTTP as from far away: some latency for every request, one limit of speed for all of them.

    python tests/tools/slow_server.py DIRECTORY

It answers ranges, and ``/-/sent`` with the bytes of files that it has sent so far. It prints its port.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

LATENCY_S = 0.02
BYTES_A_SECOND = 12_500_000  # 100 Mbit/s
BLOCK = 1 << 15  # bytes


class Line:
    """The one line that all connections share.

    Attributes:
        sent: bytes so far.
    """

    def __init__(self, bytes_a_second: float = float("inf")) -> None:
        self._speed, self._free_at, self._lock = bytes_a_second, 0.0, threading.Lock()
        self.sent = 0

    def take(self, count: int) -> None:
        """Wait until so many bytes have gone out."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + count / self._speed
            self.sent += count
            end = self._free_at
        time.sleep(max(0.0, end - time.monotonic()))


@dataclass(frozen=True)
class Answer:
    """An answer: its status and headers, and its body, of which ``size`` bytes are announced."""

    status: int
    body: bytes
    headers: dict[str, str]
    size: int


def answer_of(path: Path, range_header: str | None, read: bool) -> Answer:
    """A file, or the range of it that the header names; whole files are read only if asked for."""
    size = path.stat().st_size
    if not range_header:
        return Answer(200, path.read_bytes() if read else b"", {"Accept-Ranges": "bytes"}, size)
    first, last = range_header.removeprefix("bytes=").split("-")
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    with path.open("rb") as file:
        file.seek(start)
        body = file.read(end - start + 1)
    return Answer(206, body, {"Content-Range": f"bytes {start}-{end}/{size}"}, len(body))


def handler(root: Path, line: Line, latency_s: float = 0.0) -> type[BaseHTTPRequestHandler]:
    """What serves the files below ``root``, an absolute path, over ``line``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_head(self.find(read=False))

        def do_GET(self) -> None:
            answer = self.find(read=True)
            self.send_head(answer)
            for start in range(0, len(answer.body), BLOCK):
                block = answer.body[start : start + BLOCK]
                if self.path != "/-/sent":
                    line.take(len(block))
                self.wfile.write(block)

        def find(self, read: bool) -> Answer:
            if self.path == "/-/sent":
                body = str(line.sent).encode()
                return Answer(200, body, {}, len(body))
            time.sleep(latency_s)
            path = (root / unquote(self.path).lstrip("/")).resolve()
            if not path.is_relative_to(root) or not path.is_file():
                return Answer(404, b"", {}, 0)
            return answer_of(path, self.headers.get("Range"), read)

        def send_head(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.size))
            self.end_headers()

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are nothing to report."""


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    server = Server(("127.0.0.1", 0), handler(root, Line(BYTES_A_SECOND), LATENCY_S))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
