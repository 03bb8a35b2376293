"""Settings that hold several values: however the values are separated, no value is lost, and none is made up."""

from itertools import product

import pytest

from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync_settings import PREFIX

LISTS = {name for name, field in Settings.model_fields.items() if isinstance(field.default, tuple)}
PATHS = {"documents"}
"""A path may have spaces, so only commas separate these."""

VALUES = ("10.0.0.1", "10.0.0.2")
"""Names, host names, networks, receivers and paths alike."""


def _read(monkeypatch: pytest.MonkeyPatch, names: set[str], text: str) -> dict[str, tuple[str, ...]]:
    for name in names:
        monkeypatch.setenv(PREFIX + name.upper(), text)
    settings = load_settings()
    return {name: getattr(settings, name) for name in names}


@pytest.mark.parametrize(("names", "separators"), [(LISTS, [",", ", ", " ,\n", ",,"]), (LISTS - PATHS, [" ", "\t\n"])])
def test_a_list_holds_the_values_between_any_separators(
    names: set[str], separators: list[str], monkeypatch: pytest.MonkeyPatch
):
    """A comma too many gives no empty value, which would be a role or an origin that the operator did not name."""
    for before, between, after in product(["", " ", ","], separators, ["", ",", ", ,"]):
        text = before + between.join(VALUES) + after
        assert _read(monkeypatch, names, text) == dict.fromkeys(names, VALUES), text


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_a_list_without_a_value_is_empty(text: str, monkeypatch: pytest.MonkeyPatch):
    """Separators alone hold no value, and are no error."""
    assert _read(monkeypatch, LISTS, text) == dict.fromkeys(LISTS, ())
