"""GraphiQL's page and files: ours when installed, Strawberry's page when not, and neither when disabled."""

import re
from pathlib import Path

import pytest

from routiq_gql.api.graphql import ide
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.server import Server

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of GraphiQL's files, with stand-ins."""
    folder = tmp_path / "assets"
    folder.mkdir()
    for name in ide.ASSET_NAMES:
        (folder / name).write_text(f"/* {name} */")
    monkeypatch.setattr(ide, "ASSETS", folder)
    return folder


async def test_the_page_names_its_organization_and_loads_only_local_files(settings: Settings, assets: Path):
    """Each file of the page is served, and its policy allows no other source."""
    async with Server(settings, default_organization="org_1") as server:
        page = await server.http.get("/graphql", headers=BROWSER)
        assert '<meta name="routiq-organization" content="org_1">' in page.text
        assert "http" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        named = set(re.findall(r'"graphiql/([^"]+)"', page.text))
        assert named >= set(ide.ASSET_NAMES)
        for name in named | ide.OUR_NAMES:
            file = await server.http.get(f"/graphiql/{name}")
            assert file.status_code == 200
            assert file.headers["content-type"].startswith(("text/javascript", "text/css"))
            assert file.headers["x-content-type-options"] == "nosniff"
            assert file.headers["cache-control"] == ("no-cache" if name in ide.OUR_NAMES else "max-age=3600")
            assert set(re.findall(r"from '\./([^']+)'", file.text)) <= ide.OUR_NAMES


@pytest.mark.parametrize(("auth", "token_path"), [("off", None), ("token", None), ("jwt", "/issuer/token")])
async def test_the_page_knows_whether_tokens_are_asked_for(auth: str, token_path: str | None, assets: Path):
    """The field for a token appears only with authentication, and only a demo links to its issuer."""
    page = ide.graphiql_page("org_1", auth=auth, token_path=token_path)
    assert page is not None
    text = bytes(page.body).decode()
    assert f'<meta name="routiq-auth" content="{auth}">' in text
    assert f'<meta name="routiq-token" content="{token_path or ""}">' in text


@pytest.mark.parametrize("name", ["page.html", "..%2Fide.py", "%2Fetc%2Fpasswd", "nothing.js"])
async def test_no_other_file_is_served(bare_server: Server, assets: Path, name: str):
    """No other files are served."""
    assert (await bare_server.http.get(f"/graphiql/{name}")).status_code == 404


async def test_without_its_files_the_page_is_strawberrys(bare_server: Server, assets: Path):
    """Without our files the page needs the internet; once they exist it is ours, without a restart."""
    kept = (assets / "graphiql.min.css").rename(assets.parent / "kept")
    page = await bare_server.http.get("/graphql", headers=BROWSER)
    assert "Strawberry GraphiQL" in page.text
    assert "content-security-policy" not in page.headers
    kept.rename(assets / "graphiql.min.css")
    assert "Strawberry" not in (await bare_server.http.get("/graphql", headers=BROWSER)).text


async def test_no_foreign_script_is_given_tokens(settings: Settings, assets: Path):
    """With authentication, a page without its files is a sentence, and loads nothing from a public server."""
    (assets / "graphiql.min.css").unlink()
    tokens = assets.parent / "tokens"
    TokenFile(tokens).add("org_1")
    values = {"auth": "token", "tokens_file": str(tokens), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update=values)) as server:
        page = await server.http.get("/graphql", headers=BROWSER)
    assert page.status_code == 404
    assert "make graphiql" in page.json()["detail"]
    assert "<script" not in page.text


async def test_a_browser_gets_the_page_without_a_token(settings: Settings, assets: Path):
    """The page opens without a token, since browsers can't send one; its operations still need a token."""
    tokens = assets.parent / "tokens"
    TokenFile(tokens).add("org_1")
    values = {"auth": "token", "tokens_file": str(tokens), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update=values)) as server:
        page = await server.http.get("/graphql", headers=BROWSER)
        assert page.status_code == 200
        assert "graphiql/start.js" in page.text
        asked = await server.http.get("/graphql", headers=BROWSER, params={"query": "{ __typename }"})
        assert asked.status_code == 401
        assert (await server.http.post("/graphql", json={"query": "{ __typename }"})).status_code == 401


async def test_switched_off_there_is_no_page_and_no_file(settings: Settings, assets: Path):
    """With ROUTIQ_GRAPHIQL=false there is no page for browsers."""
    async with Server(settings.model_copy(update={"graphiql": False})) as server:
        assert (await server.http.get("/graphql", headers=BROWSER)).status_code == 400
        assert (await server.http.get("/graphiql/start.js")).status_code == 404
