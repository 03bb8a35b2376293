"""A migrated database with two connected organizations, made once per command, and copied for each simulation."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.simulation.transport import FIRST_PORT, HOST
from tests.sync.histories.steps import HISTORY_DAYS, RECENT_DAYS, UPCOMING_DAYS

NAMES = ("org_a", "org_b")
"""The organizations; each has a separate emulated Cliniko."""
CHANGES = {
    "recent_days": RECENT_DAYS,
    "upcoming_days": UPCOMING_DAYS,
    "history_days": HISTORY_DAYS,
    "starts_per_minute": 1000,
    "cliniko_requests_per_minute": 0,
    "cliniko_retry_seconds": 0.3,
    "cliniko_read_timeout_seconds": 8,
}


def settings_at(path: Path, changes: dict[str, object] | None = None) -> Settings:
    """The settings of the simulated processes, with the database at ``path``."""
    if not _SETTINGS:
        _SETTINGS.append(Settings.model_validate(CHANGES))
    given: dict[str, object] = {"database_url": f"sqlite+aiosqlite:///{path}", **(changes or {})}
    settings = _SETTINGS[0].model_copy(update=given)
    settings.model_fields_set.update(given)
    return settings


_SETTINGS: list[Settings] = []
"""Settings are read from the environment once: that takes as long as half a sync."""


@dataclass(frozen=True, slots=True)
class Template:
    """The contents of the files of a new database, by the ends of their names."""

    files: dict[str, bytes]

    def copy_to(self, path: Path) -> None:
        """Write the files of a new database ``path``."""
        for suffix, content in self.files.items():
            (path.parent / (path.name + suffix)).write_bytes(content)
            (path.parent / (path.name + suffix)).chmod(0o600)


def make_template(folder: Path) -> Template:
    """Run all migrations and connect the organizations, outside any simulation."""
    path = folder / "template.db"
    asyncio.run(_connect_all(path))
    files = {one.name[len(path.name) :]: one for one in folder.glob("template.db*") if not one.name.endswith(".lock")}
    template = Template({suffix: file.read_bytes() for suffix, file in files.items()})
    for file in files.values():
        file.unlink()
    return template


async def _connect_all(path: Path) -> None:
    async with open_runtime(settings_at(path), run_syncs=False) as runtime:
        for number, name in enumerate(NAMES):
            address = f"http://{HOST}:{FIRST_PORT + number}/v1"
            await runtime.connections.connect(LOCAL_OPERATOR, name, EMULATED_API_KEY, address, check=False)
