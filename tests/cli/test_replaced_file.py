"""A server whose database file was removed ends by itself, so that it is restarted with the right file."""

from pathlib import Path

import pytest

from tests.cli.programs import Program


@pytest.mark.sqlite_only
def test_a_server_without_its_file_ends_with_a_sentence(tmp_path: Path):
    """The exit code reports the problem to a service manager; no empty database is left behind."""
    with Program("serve", "--port", "0", folder=tmp_path) as program:
        program.url()
        (tmp_path / "routiq.db").unlink()
        assert program.end() == 1
        assert "routiq.db was deleted while this process was using it" in program.complaints
    assert not (tmp_path / "routiq.db").exists()
