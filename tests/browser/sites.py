"""Web servers on this machine for pages that don't come from the server under test."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _QuietHandler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, further_headers: Mapping[str, str], **options: Any) -> None:
        self.further_headers = further_headers
        super().__init__(*arguments, **options)

    def end_headers(self) -> None:
        for name, value in self.further_headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def site(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of a web server for the files in ``folder``; ``headers`` are added to each response."""
    handler = partial(_QuietHandler, directory=str(folder), further_headers=headers or {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
