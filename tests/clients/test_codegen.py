"""The output of code generators for schema.graphql, and the schema's compatibility with released clients."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.client_apps import RELAY
from tests.clients.conftest import SCHEMA, copied
from tests.node_projects import CLIENTS, INSTALL_SECONDS, ROOT, installed, run, tool
from tests.ports import free_port

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)

PUBLISHED = Path(__file__).with_name("published.graphql")
"""The schema of the last release. Only a release replaces it, with a copy of schema.graphql."""


def _broken(older: Path, newer: Path) -> list[str]:
    """The breaking changes in ``newer``, by graphql-inspector."""
    script = installed(CLIENTS) / "compare-schemas.mjs"
    done = subprocess.run(["node", str(script), str(older), str(newer)], capture_output=True, text=True)
    assert done.stderr == ""
    found = done.stdout.splitlines()
    assert done.returncode == (1 if found else 0)
    return found


def test_the_schema_breaks_no_client_of_the_last_release():
    """The schema breaks no released client: fields are only removed after a release with a deprecation."""
    assert _broken(PUBLISHED, SCHEMA) == []


def test_a_breaking_change_is_noticed(tmp_path: Path):
    """A removed field or a stricter argument is found; a new field, or removing a deprecated field, is allowed."""
    text = SCHEMA.read_text()
    field = re.search(r'\n  """Whether this call started it\."""\n  created: Boolean!\n', text).group()
    (removed := tmp_path / "removed.graphql").write_text(text.replace(field, "\n"))
    (stricter := tmp_path / "stricter.graphql").write_text(text.replace("    after: Int\n", "    after: Int!\n"))
    (deprecated := tmp_path / "deprecated.graphql").write_text(
        text.replace(field, field.rstrip() + ' @deprecated(reason: "Ask for message")\n')
    )
    assert _broken(SCHEMA, removed) == ["Field 'created' was removed from object type 'StartSyncPayload'"]
    assert len(_broken(SCHEMA, stricter)) == 2
    assert _broken(removed, SCHEMA) == []
    assert _broken(SCHEMA, deprecated) == []
    assert _broken(deprecated, removed) == []


@pytest.mark.parametrize("folder", [f"examples/{RELAY}", "tests/clients/relay"])
def test_the_committed_output_of_relay_compiler_is_current(folder: str, tmp_path: Path):
    """relay-compiler accepts the schema and writes the committed requests, types and trusted documents again."""
    shutil.copy(SCHEMA, tmp_path)
    ignored = shutil.ignore_patterns("node_modules*", "dist", "__generated__")
    made = shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    if (documents := made / "persisted.json").exists():
        documents.write_text("{}")
    run(tool(installed(ROOT / "examples" / RELAY), "relay-compiler"), folder=made)
    assert _written(made) == _written(ROOT / folder)


def _written(folder: Path) -> dict[str, str]:
    """The files of relay-compiler in ``folder``: names and texts."""
    files = [*folder.glob("**/__generated__/*"), *folder.glob("persisted.json")]
    return {str(file.relative_to(folder)): file.read_text() for file in files if "node_modules" not in file.parts}


def test_the_command_in_the_comment_works_as_it_stands(ariadne: Path, tmp_path: Path):
    """The command printed in an example works unchanged, in the folder that it names."""
    folder = copied("ariadne", tmp_path)
    text = (folder / "ariadne-codegen.toml").read_text()
    printed = re.search(r"^# {3}(.+)$", text, re.MULTILINE).group(1)
    command = re.sub(r"^pip install .*? && ", "", printed)  # the test has installed it
    path = os.pathsep.join([str(ariadne), os.environ["PATH"]])
    done = subprocess.run(
        command, shell=True, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert any((folder / "routiq_client").iterdir())


def test_the_client_of_ariadne_codegen_works(ariadne: Path, generated: Path, tmp_path: Path):
    """The generated Python client starts a sync, follows it over a websocket, and has times as datetimes."""
    with Program("demo", "--still", "--port", "0", "--seconds", "0", folder=tmp_path / "demo") as demo:
        printed = run(str(ariadne / "python"), "follow_sync.py", demo.url(), folder=generated)
    assert "100 % Sync completed successfully!" in printed
    assert re.search(r"^89 of 641 patients are active, as of \d{4}-\d\d-\d\d \d\d:\d\d\.$", printed, re.MULTILINE)


def test_the_client_of_ariadne_codegen_outlives_a_server_that_is_killed(ariadne: Path, generated: Path, tmp_path: Path):
    """Interrupted in the middle, it follows the same sync to its end once the server is back."""
    port = str(free_port())
    with Program("demo", "--still", "--port", port, "--seconds", "60", folder=tmp_path / "demo") as demo:
        url = demo.url()
        command = [str(ariadne / "python"), "-u", "follow_sync.py", url]
        client = subprocess.Popen(command, cwd=generated, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        printed = ""
        while "of 641 patients" not in printed:
            line = client.stdout.readline()
            assert line, printed
            printed += line
        demo.send(signal.SIGKILL)
        demo.end()
    with Program("demo", "--still", "--port", port, "--seconds", "2", folder=tmp_path / "demo"):
        rest, _ = client.communicate(timeout=PATIENCE_SECONDS)
    assert client.returncode == 0, printed + rest
    assert "100 % Sync completed successfully!" in rest
