"""A web server of this machine that serves files as well or as badly as a test wants."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """A file of the server.

    Attributes:
        data: its bytes.
        etag: of this version; empty for none.
        modified: the header Last-Modified; empty for none.
        has_ranges: whether parts are served.
        heeds_if_range: whether a part of another version is refused.
        says_length: whether the length is told.
        statuses: of the next answers, in place of the file.
        breaks: after so many bytes the next connections are closed.
        pause: s before each piece.
        piece: bytes of a piece.
        redirect: another address.
    """

    data: bytes
    etag: str = '"1"'
    modified: str = ""
    has_ranges: bool = True
    heeds_if_range: bool = True
    says_length: bool = True
    statuses: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    pause: float = 0
    piece: int = 2**16
    redirect: str = ""


class Server(ThreadingHTTPServer):
    """Serves `files` by their paths and keeps the ranges that were asked for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Served] = {}
        self.ranges: list[str | None] = []

    def add(self, name: str, served: Served) -> str:
        """Serve a file; returns its address."""
        self.files[f"/{name}"] = served
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        served = self.server.files.get(self.path)
        self.server.ranges.append(self.headers.get("Range"))
        if served is None or served.statuses:
            self._answer(served.statuses.pop(0) if served else 404, {"Content-Length": "0"})
        elif served.redirect:
            self._answer(302, {"Location": served.redirect, "Content-Length": "0"})
        else:
            self._send(served)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, served: Served) -> None:
        start = self._start(served)
        size = len(served.data)
        headers = {"ETag": served.etag, "Last-Modified": served.modified}
        headers = {name: value for name, value in headers.items() if value}
        if start > size or (start and start == size):
            self._answer(416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if served.says_length:
            headers["Content-Length"] = str(size - start)
        else:
            headers["Connection"] = "close"
        self._answer(206 if start else 200, headers)
        self._send_pieces(served, start)

    def _start(self, served: Served) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        validator = self.headers.get("If-Range")
        is_same = validator in (served.etag, served.modified) or not served.heeds_if_range
        return int(match[1]) if match and served.has_ranges and is_same else 0

    def _send_pieces(self, served: Served, start: int) -> None:
        end = len(served.data)
        if served.breaks:
            end = min(end, start + served.breaks.pop(0))
        try:
            for begin in range(start, end, served.piece):
                time.sleep(served.pause)
                self.wfile.write(served.data[begin : min(begin + served.piece, end)])
        except OSError:
            pass
        if end < len(served.data):
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
