"""The systemd units of the examples name existing commands and options."""

import configparser
import shlex
from pathlib import Path

import pytest

from routiq_gql.cli.commands import load

UNITS = sorted((Path(__file__).parents[2] / "examples" / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_exists(unit: Path):
    """A copied unit starts, and stops only after the grace period."""
    parser = configparser.RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(unit.read_text())
    program, command, *options = shlex.split(parser["Service"]["ExecStart"])
    assert program.endswith("/routiq-gql")
    known = load(command)
    names = {name for option in known.params for name in option.opts}
    assert {option for option in options if option.startswith("--")} <= names
    assert int(parser["Service"]["LimitNOFILE"]) >= 4096
    assert int(parser["Service"]["TimeoutStopSec"]) > 5
