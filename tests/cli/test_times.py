"""Times that commands print: in local time, with the offset of the time zone."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from routiq_gql import cli
from routiq_gql.cli.times import local_time

MOMENT = datetime(2026, 3, 1, 22, 5, 7, tzinfo=UTC)
WITH_A_ZONE_BESIDE_IT = {"schedule.py", "progress.py"}
"""``schedule`` names the zone of its local times, and the progress bar is looked at while it is drawn."""


@pytest.fixture(params=[("UTC", "+00:00"), ("Australia/Sydney", "+11:00"), ("America/St_Johns", "-03:30")])
def offset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The offset of this machine's time zone at the moment of the test."""
    zone, offset = request.param
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    yield offset
    monkeypatch.undo()
    time.tzset()


def test_a_local_time_has_its_offset(offset: str):
    """A time that is read in another place, or copied into a message, is unambiguous."""
    shown = local_time(MOMENT, seconds=True)
    assert shown.endswith(f" {offset}")
    assert datetime.strptime(shown, "%Y-%m-%d %H:%M:%S %z") == MOMENT
    assert local_time(MOMENT) == re.sub(r":07 ", " ", shown)
    assert local_time(None) == "never"


def test_no_command_formats_a_time_on_its_own():
    """Every other module prints times by these functions, so that none lacks the offset."""
    folder = Path(cli.__file__).parent
    own = {
        file.name
        for file in folder.glob("*.py")
        for line in file.read_text().splitlines()
        if "%H:%M" in line and "with_offset(" not in line
    }
    assert own == WITH_A_ZONE_BESIDE_IT
