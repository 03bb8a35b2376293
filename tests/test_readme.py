"""The README and the pages in docs/ are compared with the product."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from routiq_gql.cli.commands import COMMANDS, load
from routiq_gql.cli.connect import KEY_VARIABLE
from routiq_gql.cli.demo import DEMO_ORGANIZATION
from routiq_gql.cliniko import RESOURCES
from routiq_gql.settings import Settings
from routiq_gql.sync.model import FailureCode
from tests.cli.programs import Program

ROOT = Path(__file__).parent.parent
OPERATING = (ROOT / "docs" / "operating.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
VARIABLES = {f"ROUTIQ_{name.upper()}": field for name, field in Settings.model_fields.items()}
OF_TESTS_AND_EXAMPLES = {"ROUTIQ_TEST_POSTGRES_URL", "ROUTIQ_TOKEN_URL", "VITE_ROUTIQ_URL"}


def _tables(heading: str) -> list[list[str]]:
    """The rows of the table under ``heading`` of the page for operators, cells stripped."""
    section = OPERATING.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def _blocks(language: str) -> list[str]:
    """The code blocks of all pages in this language."""
    return [
        block
        for page in PAGES
        for block in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]


def test_the_settings_table_is_the_settings_class():
    """The settings table lists every setting once, with its default and its description, and nothing else."""

    def default(value: object) -> str:
        shown = (
            " ".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else value
        )
        return "" if shown == "" else f"`{shown}`"

    expected = [[f"`{name}`", default(field.default), field.description] for name, field in VARIABLES.items()]
    assert _tables("Settings") == expected


def test_every_variable_that_is_named_exists():
    """Every variable named in the documentation has an effect."""
    named = {name for page in PAGES for name in re.findall(r"(?:VITE_)?ROUTIQ_[A-Z_]+", page.read_text())}
    assert named - set(VARIABLES) <= {KEY_VARIABLE, *OF_TESTS_AND_EXAMPLES}


def test_the_table_of_failures_has_every_code():
    """An operator finds each reason for which a sync can fail, with its cause and what to do."""
    assert [cells[0].strip("`") for cells in _tables("When things go wrong")] == [code.value for code in FailureCode]


def test_the_docs_name_every_list():
    """The reader of a page that lists what a sync reads, or what a key must be able to read, finds every list."""
    for page, words in (("cliniko.md", "A sync reads"), ("operating.md", "who must be able to read")):
        text = " ".join((ROOT / "docs" / page).read_text().split())
        ((sentence),) = re.findall(rf"{words}[^.;]*[.;]", text)
        missing = [one.name for one in RESOURCES if not re.search(rf"\b{one.name.replace('_', ' ')}\b", sentence)]
        assert missing == [], page


def test_every_setting_has_an_effect():
    """No setting is left that the product doesn't read."""
    code = "\n".join(file.read_text() for file in (ROOT / "routiq_gql").rglob("*.py"))
    assert [name for name in Settings.model_fields if not re.search(rf"\.{name}\b", code)] == []


def test_every_command_and_option_that_is_named_exists():
    """The command table is complete, and each option in it or in an example belongs to its command."""
    named = [line for cells in _tables("Commands") for line in re.findall(r"`(routiq-gql [^`]*)`", cells[0])]
    listed = {line.split()[1] for line in named}
    assert listed == {one.name for one in COMMANDS}
    for line in [*named, *re.findall(r"^routiq-gql .*$", "\n".join(_blocks("sh")), re.MULTILINE)]:
        words = [word.strip("[]") for word in line.split()[1:]]
        command = load(words[0])
        for word in words[1:]:
            if word in getattr(command, "commands", {}):
                command = command.commands[word]
            elif word.startswith("--"):
                options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
                assert word in options, line


def test_every_make_target_that_is_named_exists():
    """Each documented `make` target exists."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    form = re.compile(r"`?make ([a-z-]+)(?:`| +#|$|\s+PORT)", re.MULTILINE)
    named = {name for page in PAGES for name in form.findall(page.read_text())}
    assert {"demo", "test"} <= named <= targets


def test_every_file_that_is_named_exists():
    """Paths lead somewhere."""
    form = re.compile(
        r"`((?:examples|tests|routiq_gql|docs|\.ci)/[\w./-]*|Makefile|[\w-]+\.(?:graphql|txt|toml)|[A-Z]+\.md)`"
    )
    for page in PAGES:
        text = page.read_text()
        for path in form.findall(text):
            assert (ROOT / path).exists(), f"{page.name}: {path}"


@pytest.mark.parametrize("folder", ["apollo-react", "urql-react", "relay-react", "clients", "react"])
def test_each_npm_command_that_is_named_exists(folder: str):
    """Each documented `npm run …` command exists in its folder of the examples."""
    scripts = json.loads((ROOT / "examples" / folder / "package.json").read_text()).get("scripts", {})
    for page in PAGES:
        for sentence in re.split(r"(?<=[.:])\s", page.read_text()):
            if f"examples/{folder}`" in sentence:
                assert set(re.findall(r"npm run (\w+)", sentence)) <= set(scripts), sentence


def test_the_claims_about_iframes_and_origins_are_true(server: str):
    """No other site can embed the server's pages; without authentication, only this machine's pages have access."""
    for path in ("/", "/graphql"):
        page = httpx.get(server + path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        if "graphiql/start.js" in page.text or path == "/":
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    for origin, status in (("http://localhost:5173", 200), ("http://127.0.0.1:80", 200), ("https://app.example", 403)):
        answer = httpx.post(f"{server}/graphql", json={"query": "{ __typename }"}, headers={"Origin": origin})
        assert answer.status_code == status


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A demo whose first sync has ended."""
    with Program("demo", "--still", "--port", "0", "--seconds", "0", folder=tmp_path_factory.mktemp("readme")) as demo:
        url = demo.url()
        demo.wait_for("Ctrl-C ends it")
        yield url


def _is_alike(real: Any, shown: Any) -> bool:
    """Whether two responses have the same keys, in order, and the same kinds of values. Null matches anything."""
    if real is None or shown is None:
        return True
    if isinstance(real, dict) and isinstance(shown, dict):
        return list(real) == list(shown) and all(_is_alike(real[key], shown[key]) for key in real)
    if isinstance(real, list) and isinstance(shown, list):
        return all(_is_alike(real[0], one) for one in shown) if real else True
    return isinstance(real, type(shown)) or {type(real), type(shown)} <= {int, float}


def _call(server: str, command: str) -> httpx.Response:
    """Sends the request of a command ``curl …`` in the docs."""
    words = [word for word in shlex.split(command.replace("\\\n", " ")) if word not in {"curl", "-N", "-s"}]
    method, body, headers, url = None, None, {}, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            headers[name] = value.strip()
        else:
            url = word
    path = url.removeprefix("localhost:8000")
    assert path.startswith("/"), command
    if "SYNC_ID" in path + (body or ""):
        history = httpx.get(f"{server}/api/v1/sync/history/{DEMO_ORGANIZATION}").json()
        newest = history["recent_syncs"][0]["sync_id"]
        path, body = path.replace("SYNC_ID", newest), body and body.replace("SYNC_ID", newest)
    return httpx.request(
        method or ("POST" if body else "GET"), server + path, content=body, headers=headers, timeout=60
    )


def _pairs(command: str, answer_language: str) -> list[tuple[str, str]]:
    """The blocks that begin with ``command``, each with the answer in the next block; of all pages."""
    form = re.compile(
        rf"^```sh\n({command} (?:(?!^```).)*)^```\n+```{answer_language}\n(.*?)^```", re.MULTILINE | re.DOTALL
    )
    return [pair for page in PAGES for pair in form.findall(page.read_text())]


def test_the_answers_of_the_api_are_real(server: str):
    """Each documented curl command is answered with the keys and kinds of values that stand below it."""
    pairs = _pairs("curl", "json")
    assert len(pairs) >= 4
    for command, answer in pairs:
        response = _call(server, command)
        assert response.status_code == 200, response.text
        assert _is_alike(response.json(), json.loads(answer)), command


def test_the_stream_looks_as_shown(server: str):
    """The event stream has the fields, the events and the kind of data that the docs show."""
    ((command, shown),) = _pairs("curl -N", "text")
    real = _call(server, command).text
    for line in shown.splitlines():
        field = line.partition(":")[0]
        if line and line != "…":
            assert re.search(rf"^{re.escape(field)}: ?", real, re.MULTILINE), line
    assert real.rstrip().splitlines()[-1].startswith("data:")
