"""The organization that opens without an id in the address: the only connected one, or the token's."""

import pytest
from playwright.async_api import expect

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import expect_status, serving
from tests.issuing import issuing, jwt_settings, use_token
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP


async def test_the_only_connected_organization_is_shown(serve: Serve, open_page: OpenPage):
    """The only clinic of a server opens at once. Several are listed."""
    served = await serve(default_organization=None, is_connected=False)
    page = await open_page(served.url)
    field = page.get_by_label("Organization", exact=True)
    await expect(field).to_be_focused()
    assert await field.input_value() == ""
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY)
    await page.reload()
    await expect_status(page, "Idle")
    await expect(page.locator("#organization-id")).to_have_text(ORGANIZATION)
    await page.get_by_role("button", name="Organization…").click()
    await expect(field).to_have_value(ORGANIZATION)

    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY, "org_second")
    await page.goto(served.url)
    await expect(page.get_by_role("searchbox", name="Search organizations")).to_be_focused()
    await expect(page.locator("#chooser-list .name")).to_have_count(2)
    await expect(page.locator("#chooser-list")).to_contain_text(ORGANIZATION)
    await expect(page.locator("#chooser-list")).to_contain_text("org_second")
    await page.goto(f"{served.url}/?organization=org_second")
    await expect(page.locator("#organization-id")).to_have_text("org_second")
    await served.server.runtime.connections.disconnect(LOCAL_OPERATOR, "org_second")
    await page.goto(served.url)
    await expect(page.locator("#organization-id")).to_have_text(ORGANIZATION)


@pytest.mark.parametrize("is_known", [True, False])
async def test_with_authentication_only_the_token_names_the_organization(
    settings: Settings, open_page: OpenPage, is_known: bool
):
    """The page names no organization to strangers; a token opens its organization."""
    async with issuing() as server:
        guarded = jwt_settings(settings, server.issuer)
        async with serving(guarded, default_organization=None, is_connected=False) as served:
            use_token(served.server, server.issuer.token(ORGANIZATION, role="admin", lifetime_seconds=600))
            await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY)
            assert ORGANIZATION not in (await served.server.http.get("/")).text
            token = server.issuer.token(ORGANIZATION, lifetime_seconds=600) if is_known else "opaque"
            page = await open_page(f"{served.url}/#token={token}", line_may_break=not is_known)
            if is_known:
                await expect_status(page, "Idle")
                await expect(page.locator("#organization-id")).to_have_text(ORGANIZATION)
            else:
                await expect(page.get_by_label("Organization", exact=True)).to_be_focused()
            await page.close()
