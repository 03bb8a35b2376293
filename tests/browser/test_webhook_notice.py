"""The page's notice while webhooks fail or are disabled."""

import re
from typing import Any

from playwright.async_api import Page, expect
from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import WEBHOOK
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, serving
from tests.issuing import issuing, jwt_settings
from tests.organization import ORGANIZATION
from tests.webhooks.stored import stored_webhook

pytestmark = IN_SESSION_LOOP


async def _change(served: Served, page: Page, **values: Any) -> None:
    """Change the webhook, and let the page ask again without waiting for half a minute."""
    async with served.server.runtime.database.writing() as connection:
        await connection.execute(update(WEBHOOK).values(**values))
    await page.evaluate("(() => { const now = Date.now; Date.now = () => now() + 60_000; })()")


async def test_a_notice_says_which_webhook_fails_and_what_to_do(settings: Settings, open_page: OpenPage):
    """Those who may change webhooks read that one fails or is disabled, until it works; other members do not."""
    async with issuing() as server:
        guarded = jwt_settings(settings, server.issuer, webhook_roles=("integrator",))
        async with serving(guarded, is_connected=False) as served:
            await stored_webhook(served.server.runtime.database, ORGANIZATION, failing_since=utc_now())

            async def opened(role: str) -> Page:
                token = server.issuer.token(ORGANIZATION, role=role, lifetime_seconds=600)
                page = await open_page()
                async with page.expect_response(lambda got: "failingWebhooks" in (got.request.post_data or "")):
                    await page.goto(f"{served.url}/?organization={ORGANIZATION}#token={token}")
                return page

            member = await opened("member")
            page = await opened("integrator")
            notice = page.locator("#webhooks")
            failing = (
                r"The webhook for example\.com has failed since .+: repair its receiver, then send it a test "
                r"\(routiq-gql webhooks test\)\."
            )
            await expect(notice).to_have_text(re.compile(failing))
            await expect(member.locator("#webhooks")).to_be_hidden()
            await _change(served, page, disabled_at=utc_now(), disabled_reason="It was disabled on request.")
            await expect(notice).to_have_text(
                "The webhook for example.com is disabled and its events wait: enable it once its receiver works."
            )
            await _change(served, page, disabled_at=None, failing_since=None)
            await expect(notice).to_be_hidden()
            await expect(member.locator("#webhooks")).to_be_hidden()
            for shown in (member, page):
                await shown.close()  # before their server
