"""The clinic's time zone: from an IANA name, or from the label that Cliniko has for older accounts."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_LABELS: Mapping[str, str] = {
    "Atlantic Time (Canada)": "America/Halifax",
    "Central Time (US & Canada)": "America/Chicago",
    "Eastern Time (US & Canada)": "America/New_York",
    "Edinburgh": "Europe/London",
    "Mountain Time (US & Canada)": "America/Denver",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Wellington": "Pacific/Auckland",
}
"""Labels that name no city of the IANA database. Source: Ruby on Rails, ``ActiveSupport::TimeZone::MAPPING``."""


@cache
def zone_of(name: str | None) -> tzinfo:
    """The time zone with this IANA name or label, such as ``Sydney``; UTC if there is none."""
    if not name:
        return UTC
    for known in (name, _LABELS.get(name), _by_city().get(name.replace(" ", "_"))):
        try:
            if known is not None:
                return ZoneInfo(known)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
            continue
    return UTC


def name_of(zone: tzinfo) -> str:
    """The IANA name of a time zone."""
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


@cache
def _by_city() -> Mapping[str, str]:
    return {one.rpartition("/")[2]: one for one in sorted(available_timezones(), reverse=True)}
