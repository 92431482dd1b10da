"""A directory over HTTP as from far away: some latency for every request, one limit of speed for all of them.

    python tests/tools/slow_server.py DIRECTORY [--port 8000] [--latency 0.02] [--megabits 100]

It answers ranges, and ``/-/sent`` with the bytes of files that it has sent so far. It prints its port.
"""

from __future__ import annotations

import argparse
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

BLOCK = 1 << 15


class Line:
    """The one line that all connections share: when it is free again, and bytes sent."""

    def __init__(self, bytes_a_second: float) -> None:
        self.speed, self.free, self.sent, self.lock = bytes_a_second, 0.0, 0, threading.Lock()

    def take(self, count: int) -> None:
        """Wait until so many bytes have gone out."""
        with self.lock:
            self.free = max(self.free, time.monotonic()) + count / self.speed
            self.sent += count
            end = self.free
        time.sleep(max(0.0, end - time.monotonic()))


def handler(root: Path, line: Line, latency: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            if self.path == "/-/sent":
                return self.give(200, str(line.sent).encode(), {}, body, counted=False)
            time.sleep(latency)
            path = (root / unquote(self.path).lstrip("/")).resolve()
            if not path.is_relative_to(root) or not path.is_file():
                return self.give(404, b"", {}, body)
            size, wanted = path.stat().st_size, self.headers.get("Range")
            if not wanted:
                return self.give(200, path.read_bytes() if body else bytes(0), {"Accept-Ranges": "bytes"},
                                 body, size=size)  # fmt: skip
            first, last = wanted.removeprefix("bytes=").split("-")
            start = int(first) if first else max(0, size - int(last))
            end = min(int(last), size - 1) if first and last else size - 1
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(end - start + 1)
            return self.give(206, data, {"Content-Range": f"bytes {start}-{end}/{size}"}, body)

        def give(
            self, status: int, data: bytes, headers: dict[str, str], body: bool,
            size: int | None = None, counted: bool = True,
        ) -> None:  # fmt: skip
            self.send_response(status)
            for name, value in {
                **headers,
                "Content-Length": str(len(data) if size is None else size),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            for at in range(0, len(data) if body else 0, BLOCK):
                block = data[at : at + BLOCK]
                if counted:
                    line.take(len(block))
                self.wfile.write(block)

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are nothing to tell."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--megabits", type=float, default=100.0)
    own = parser.parse_args()
    made = handler(own.directory.resolve(), Line(own.megabits * 125_000), own.latency)
    server = Server(("127.0.0.1", own.port), made)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
