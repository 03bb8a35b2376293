"""The receiver in Python of ``docs/webhooks.md`` runs as written; ``clients/test_webhooks.py`` runs that in Node."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from routiq_gql.database.webhook_secrets import new_secret
from tests.ports import free_port
from tests.waiting import until
from tests.webhooks.documented import check_receiver, receiver_block


@contextmanager
def _running(command: list[str], folder: Path, secret: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a receiver, and its process."""
    port = free_port()
    environment = {"WEBHOOK_SECRET": secret, "PORT": str(port), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()


def _is_open(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


async def test_the_documented_receiver_in_python_verifies_requests(tmp_path: Path):
    """A receiver that is copied from the page accepts our requests, prints each event once, and refuses others."""
    (tmp_path / "receiver.py").write_text(receiver_block("receiver.py"))
    secret = new_secret()
    with _running([sys.executable, "receiver.py"], tmp_path, secret) as (url, process):
        await until(lambda: _is_open(url))
        await check_receiver(url, secret)
        process.kill()
        printed = process.stdout.read() if process.stdout else ""
    assert printed.splitlines() == ["sync.completed {'organizationId': 'org_ü'}"]
