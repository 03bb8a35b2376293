"""Each label that Cliniko has for a time zone leads to a zone with the offset that Ruby on Rails shows beside it."""

from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.time_zones import zone_of

LABELS = {
    "-12:00": ["International Date Line West"],
    "-11:00": ["Midway Island", "American Samoa"],
    "-10:00": ["Hawaii"],
    "-09:00": ["Alaska"],
    "-08:00": ["Pacific Time (US & Canada)", "Tijuana"],
    "-07:00": ["Mountain Time (US & Canada)", "Arizona", "Chihuahua", "Mazatlan"],
    "-06:00": ["Central Time (US & Canada)", "Saskatchewan", "Guadalajara", "Mexico City", "Monterrey",
               "Central America"],
    "-05:00": ["Eastern Time (US & Canada)", "Indiana (East)", "Bogota", "Lima", "Quito"],
    "-04:30": ["Caracas"],
    "-04:00": ["Atlantic Time (Canada)", "La Paz", "Georgetown", "Puerto Rico"],
    "-03:30": ["Newfoundland"],
    "-03:00": ["Santiago", "Brasilia", "Buenos Aires", "Montevideo", "Greenland"],
    "-02:00": ["Mid-Atlantic"],
    "-01:00": ["Azores", "Cape Verde Is."],
    "+00:00": ["Dublin", "Edinburgh", "Lisbon", "London", "Casablanca", "Monrovia", "UTC"],
    "+01:00": ["Belgrade", "Bratislava", "Budapest", "Ljubljana", "Prague", "Sarajevo", "Skopje", "Warsaw", "Zagreb",
               "Brussels", "Copenhagen", "Madrid", "Paris", "Amsterdam", "Berlin", "Bern", "Zurich", "Rome",
               "Stockholm", "Vienna", "West Central Africa"],
    "+02:00": ["Bucharest", "Cairo", "Helsinki", "Kyiv", "Riga", "Sofia", "Tallinn", "Vilnius", "Athens", "Istanbul",
               "Jerusalem", "Harare", "Pretoria", "Kaliningrad"],
    "+03:00": ["Minsk", "Moscow", "St. Petersburg", "Volgograd", "Kuwait", "Riyadh", "Nairobi", "Baghdad"],
    "+03:30": ["Tehran"],
    "+04:00": ["Samara", "Abu Dhabi", "Muscat", "Baku", "Tbilisi", "Yerevan"],
    "+04:30": ["Kabul"],
    "+05:00": ["Ekaterinburg", "Islamabad", "Karachi", "Tashkent"],
    "+05:30": ["Chennai", "Kolkata", "Mumbai", "New Delhi", "Sri Jayawardenepura"],
    "+05:45": ["Kathmandu"],
    "+06:00": ["Astana", "Dhaka", "Almaty", "Novosibirsk", "Urumqi"],
    "+06:30": ["Rangoon"],
    "+07:00": ["Bangkok", "Hanoi", "Jakarta", "Krasnoyarsk"],
    "+08:00": ["Beijing", "Chongqing", "Hong Kong", "Kuala Lumpur", "Singapore", "Taipei", "Perth", "Irkutsk",
               "Ulaanbaatar"],
    "+09:00": ["Seoul", "Osaka", "Sapporo", "Tokyo", "Yakutsk"],
    "+09:30": ["Darwin", "Adelaide"],
    "+10:00": ["Canberra", "Melbourne", "Sydney", "Brisbane", "Hobart", "Vladivostok", "Guam", "Port Moresby",
               "Magadan"],
    "+11:00": ["Srednekolymsk", "Solomon Is.", "New Caledonia"],
    "+12:00": ["Fiji", "Kamchatka", "Marshall Is.", "Auckland", "Wellington"],
    "+12:45": ["Chatham Is."],
    "+13:00": ["Nuku'alofa", "Tokelau Is.", "Samoa"],
}  # fmt: skip
"""The labels by their standard offset in 2015, as later years differ between versions of the IANA database.
Source: Ruby on Rails, ``ActiveSupport::TimeZone.all``."""

DAYS = [datetime(2015, month, 15, 12, tzinfo=UTC) for month in (1, 7)]


@pytest.mark.parametrize("offset", LABELS)
def test_every_label_of_a_time_zone_has_its_offset(offset: str):
    """Also where a label names a country, a smaller town, or a town in another zone than the clinic's."""
    found = {label: min(day.astimezone(zone_of(label)).utcoffset() or timedelta() for day in DAYS)
             for label in LABELS[offset]}  # fmt: skip
    hours, minutes = offset.split(":")
    expected = timedelta(hours=int(hours), minutes=int(hours[0] + minutes))
    assert found == dict.fromkeys(LABELS[offset], expected)
