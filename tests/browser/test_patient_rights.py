"""The page of a person who may see syncs and not patients: figures without links, and whom to ask."""

import re

from playwright.async_api import expect

from routiq_gql.clock import utc_now
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import serving
from tests.issuing import issuing, jwt_settings
from tests.organization import ORGANIZATION
from tests.patients.clinics import ListedClinic, Person, Visit

pytestmark = IN_SESSION_LOOP


async def test_without_the_right_figures_lead_nowhere_and_a_list_says_what_to_ask_for(
    settings: Settings, open_page: OpenPage
):
    """A token without the role shows the figures without links; the address of a list says which right is missing."""
    now = utc_now()
    people = [Person(11, "Ana", "Adams", visits=(Visit(1, now),)), Person(12, "Ben", "Brown")]
    async with issuing() as server:
        guarded = jwt_settings(settings, server.issuer, patient_roles=("reception",))
        async with serving(guarded) as served:
            await ListedClinic(served.server.runtime.database, ORGANIZATION).sync(people, now)
            member = server.issuer.token(ORGANIZATION, role="member", lifetime_seconds=600)
            page = await open_page(f"{served.url}/?organization={ORGANIZATION}#token={member}")
            await expect(page.locator("#work-problem")).to_contain_text("ROUTIQ_PATIENT_ROLES")
            await expect(page.locator("#figure-known")).to_be_visible()
            await expect(page.locator("#past tr")).to_have_count(1)
            await expect(page.locator("a[href*='list='], a[href*='changes=']").filter(visible=True)).to_have_count(0)
            other = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL#token={member}")
            await expect(other.locator("#list-problem-text")).to_contain_text(
                re.compile("ROUTIQ_PATIENT_ROLES.* Ask the person who manages your access for a role")
            )
            await expect(other.locator("#list-problem button").filter(visible=True)).to_have_count(0)
            reception = server.issuer.token(ORGANIZATION, role="reception", lifetime_seconds=600)
            allowed = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL#token={reception}")
            await expect(allowed.locator(".patient .name button")).to_have_text(["Ana Adams", "Ben Brown"])
            for shown in (page, other, allowed):
                await shown.close()  # before their server
