"""Times between looks at Cliniko, which follow from the settings: within the key's share, longer while unwatched."""

from itertools import chain

import pytest

from routiq_gql.errors import SettingsError
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync_settings import LONGEST_UNWATCHED_SECONDS, LOOK_REQUESTS, SHARE, UNWATCHED_TIMES

PACES = range(201)
INTERVALS = range(901)


def _share(pace: int) -> float:
    """Requests a minute that looks may send; at least those of a look, which a slow pace would never allow."""
    return max(LOOK_REQUESTS, pace // SHARE) if pace else float("inf")


def _is_within(pace: int, seconds: int) -> bool:
    return 60 / seconds * LOOK_REQUESTS <= _share(pace)


def test_the_intervals_of_each_pace_fit_its_share():
    """The shortest interval is the first that fits, and the usual one is never shorter."""
    for pace in PACES:
        settings = Settings.model_construct(cliniko_requests_per_minute=pace, refresh_seconds=0)
        least = settings.least_refresh_seconds
        assert _is_within(pace, least), pace
        assert least == 1 or not _is_within(pace, least - 1), pace
        assert settings.refresh_interval == max(15, least), pace
        assert settings.refresh_share == (_share(pace) if pace else 0)


def test_an_organization_that_no_client_reads_is_looked_at_less_often():
    """Four times as rarely up to five minutes, and never more often than one that clients read."""
    for seconds in chain(INTERVALS[:80], INTERVALS[295:306], INTERVALS[896:]):
        for pace in chain(PACES[:50:7], PACES[180:]):
            settings = Settings.model_construct(cliniko_requests_per_minute=pace, refresh_seconds=seconds)
            watched, unwatched = settings.refresh_interval, settings.unwatched_refresh_interval
            if watched >= LONGEST_UNWATCHED_SECONDS:
                assert unwatched == watched, (seconds, pace)
            else:
                assert unwatched == min(UNWATCHED_TIMES * watched, LONGEST_UNWATCHED_SECONDS), (seconds, pace)


def test_only_intervals_within_the_share_are_accepted(monkeypatch: pytest.MonkeyPatch):
    """A shorter interval is refused with the shortest one; 0 leaves looks to single organizations."""
    for pace in (0, 1, 40, 45, 99, 180, 200):
        monkeypatch.setenv("ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE", str(pace))
        least = next(one for one in INTERVALS[1:] if _is_within(pace, one))
        for seconds in {0, 1, least - 1, least, 900}:
            monkeypatch.setenv("ROUTIQ_REFRESH_SECONDS", str(seconds))
            if seconds == 0 or seconds >= least:
                assert load_settings().refresh_seconds == seconds
            else:
                with pytest.raises(SettingsError, match=f"ROUTIQ_REFRESH_SECONDS is wrong: .*from {least} to 900"):
                    load_settings()
