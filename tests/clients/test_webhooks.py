"""The receiver of ``docs/webhooks.md`` in Node.js, with the library of Standard Webhooks for JavaScript."""

import asyncio
import os
from pathlib import Path

import pytest

from routiq_gql.runtime import open_runtime
from routiq_gql.settings import Settings
from tests.cli.programs import PATIENCE_SECONDS
from tests.node_projects import INSTALL_SECONDS
from tests.ports import free_port
from tests.webhooks.delivery import PRIVATE, register, until_sent, write
from tests.webhooks.documented import check_receiver, receiver_block
from tests.webhooks.receiver import Receiver

pytestmark = [pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS), pytest.mark.sqlite_only]
HERE = Path(__file__).parent


async def _receiver(command: list[str], port: int, secret: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return process


async def test_the_documented_receiver_in_node_verifies_what_is_sent(node: str, settings: Settings):
    """A receiver copied from the page accepts our events, and refuses all that are not signed with its secret."""
    command = [node, "--input-type=module", "-e", receiver_block("receiver.mjs")]
    settings = settings.model_copy(update={"webhook_private": PRIVATE})
    async with open_runtime(settings) as runtime:
        target = Receiver()
        target.port = free_port()
        webhook_id, secret = await register(runtime, target)
        process = await _receiver(command, target.port, secret)
        try:
            await write(runtime.database, "sync_1")
            await until_sent(runtime.database, webhook_id)
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE_SECONDS):
                line = (await process.stdout.readline()).decode()
            assert line.startswith("sync.completed")
            assert "sync_1" in line

            await check_receiver(f"http://127.0.0.1:{target.port}/", secret)
        finally:
            process.kill()
            await process.wait()
