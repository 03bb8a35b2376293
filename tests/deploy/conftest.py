"""A real nginx with the example's files, in front of the product on an unusual port."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.certificates import write_certificate
from tests.machine import leave_out
from tests.ports import free_port
from tests.waiting import LIMIT_SECONDS

EXAMPLES = Path(__file__).parents[2] / "examples" / "deploy" / "nginx"
NAME = "routiq.example.com"
"""The name in the examples."""


class Nginx:
    """A running nginx.

    Attributes:
        port: Its port; never 443.
        certificate: The certificate that a client must trust.
    """

    def __init__(
        self, program: str, folder: Path, example: str, upstream_port: int, changes: tuple[tuple[str, str], ...]
    ) -> None:
        self._folder = folder
        self.port = free_port()
        self.certificate = folder / "routiq.pem"
        write_certificate(folder, "routiq", NAME, "localhost")
        (folder / "snippets").mkdir()
        snippet, text = (EXAMPLES / "routiq-proxy.conf").read_text(), (EXAMPLES / example).read_text()
        for written, wrong in changes:
            assert written in text or f"\n{written}" in snippet, f"{example} has no {written!r} any more"
            text, snippet = text.replace(written, wrong), snippet.replace(f"\n{written}", f"\n{wrong}")
        (folder / "snippets" / "routiq-proxy.conf").write_text(snippet)
        for written, here in (
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            ("/etc/ssl/", f"{folder}/"),
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream_port};"),
            ("    server 127.0.0.1:8001;\n", ""),
        ):
            assert written in text, f"{example} has no {written!r} any more"
            text = text.replace(written, here)
        (folder / example).write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "\n".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self._main = folder / "nginx.conf"
        self._main.write_text(
            f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{ access_log off;\n{temporary}\ninclude {example};\n}}\n"
        )
        self._command = [program, "-p", str(folder), "-c", str(self._main), "-e", str(folder / "error.log")]

    def check(self) -> str:
        """The output of ``nginx -t`` for the files."""
        done = subprocess.run([*self._command, "-t"], capture_output=True, text=True, timeout=LIMIT_SECONDS)
        return done.stderr if done.returncode else "ok"

    def __enter__(self) -> "Nginx":
        self._process = subprocess.Popen(self._command)
        transport = httpx.HTTPTransport(verify=False, retries=10)  # until it listens
        with httpx.Client(transport=transport) as client:
            client.get(f"https://127.0.0.1:{self.port}/healthz", timeout=LIMIT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(LIMIT_SECONDS)


StartNginx = Callable[..., Nginx]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[StartNginx]:
    """Starts nginx with an example, in front of a server at a port: ``nginx("routiq.conf", 8000)``.

    Further arguments are mistakes to make in the files: pairs of a text and its replacement.
    """
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        leave_out("nginx is not installed; it is needed to try the example files")
    with ExitStack() as running:

        def start(example: str, upstream_port: int, *changes: tuple[str, str]) -> Nginx:
            folder = tmp_path / "nginx"
            folder.mkdir()
            made = Nginx(program, folder, example, upstream_port, changes)
            assert made.check() == "ok"
            return running.enter_context(made)

        yield start
