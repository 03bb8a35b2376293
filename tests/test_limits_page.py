"""The page of limits agrees with the settings: every configurable limit is listed with its default."""

import re
from pathlib import Path

from routiq_gql.settings import Settings

PAGE = (Path(__file__).parent.parent / "docs" / "limits.md").read_text()
ROWS = [
    [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
][2:]

LIMIT_NAMES = re.compile(r"^max_(?!.*cliniko)|_timeout$|_time_limit$|^(starts|connects)_per_minute$")
"""Names of settings that limit callers."""


def test_every_limit_in_the_settings_is_listed():
    """An operator finds each configurable limit on a single page."""
    listed = {setting for _, _, setting, _ in ROWS if setting}
    expected = {f"ROUTIQ_{name.upper()}" for name in Settings.model_fields if LIMIT_NAMES.search(name)}
    assert expected - listed == set()


def test_listed_settings_exist_and_have_these_defaults():
    """A default on the page is the default of the product."""
    fields = {f"ROUTIQ_{name.upper()}": field for name, field in Settings.model_fields.items()}
    settings = [(setting, default) for _, default, setting, _ in ROWS if setting]
    assert settings
    for setting, default in settings:
        assert default == str(fields[setting].default), setting
