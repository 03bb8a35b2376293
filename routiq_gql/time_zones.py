"""The clinic's time zone: from an IANA name, or from the label that Cliniko has for older accounts."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_LABELS: Mapping[str, str] = {
    "Abu Dhabi": "Asia/Muscat",
    "American Samoa": "Pacific/Pago_Pago",
    "Astana": "Asia/Almaty",
    "Atlantic Time (Canada)": "America/Halifax",
    "Beijing": "Asia/Shanghai",
    "Bern": "Europe/Zurich",
    "Brasilia": "America/Sao_Paulo",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Central America": "America/Guatemala",
    "Central Time (US & Canada)": "America/Chicago",
    "Chatham Is.": "Pacific/Chatham",
    "Chennai": "Asia/Kolkata",
    "Eastern Time (US & Canada)": "America/New_York",
    "Edinburgh": "Europe/London",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Georgetown": "America/Guyana",
    "Greenland": "America/Nuuk",
    "Guadalajara": "America/Mexico_City",
    "Hanoi": "Asia/Bangkok",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "International Date Line West": "Etc/GMT+12",
    "Islamabad": "Asia/Karachi",
    "Marshall Is.": "Pacific/Majuro",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Midway Island": "Pacific/Midway",
    "Mountain Time (US & Canada)": "America/Denver",
    "Mumbai": "Asia/Kolkata",
    "New Caledonia": "Pacific/Noumea",
    "New Delhi": "Asia/Kolkata",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Osaka": "Asia/Tokyo",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Pretoria": "Africa/Johannesburg",
    "Quito": "America/Lima",
    "Samoa": "Pacific/Apia",
    "Sapporo": "Asia/Tokyo",
    "Solomon Is.": "Pacific/Guadalcanal",
    "Sri Jayawardenepura": "Asia/Colombo",
    "St. Petersburg": "Europe/Moscow",
    "Tokelau Is.": "Pacific/Fakaofo",
    "Wellington": "Pacific/Auckland",
    "West Central Africa": "Africa/Algiers",
}
"""Labels that name no city of the IANA database, or a wrong one. Source: Ruby on Rails,
``ActiveSupport::TimeZone::MAPPING``."""


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
