"""Times that commands print: in local time, with the offset of the time zone."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from routiq_gql import cli
from routiq_gql.cli.receipts import receipt_lines
from routiq_gql.cli.times import local_time
from tests.receipts import AGREES

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


@pytest.mark.usefixtures("offset")
def test_a_time_without_a_date_is_of_today():
    """A reader takes a time for one of the day on their clock, whatever day it is in UTC."""
    now = MOMENT.replace(hour=0, minute=30)
    for quarters in range(4 * 24):
        now += timedelta(minutes=15)
        for minutes in (0, 30, 8 * 60, 25 * 60):
            checked_at = now - timedelta(minutes=minutes)
            (line,) = receipt_lines(replace(AGREES, checked_at=checked_at), now)
            shown = line.partition("checked ")[2].partition(";")[0]
            if len(shown) == len("09:00 +11:00"):
                shown = f"{now.astimezone():%Y-%m-%d} {shown}"
            assert datetime.strptime(shown, "%Y-%m-%d %H:%M %z") == checked_at.replace(second=0), (quarters, minutes)


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
