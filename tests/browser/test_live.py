"""The page of an organization that is kept live: it follows Cliniko without a reload, says why, and stays calm."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic
from routiq_gql.settings import Settings
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.live_edits import VISITS, LiveEdits, note_shown_changes
from tests.browser.serving import Served, serving
from tests.issuing import issuing, jwt_settings
from tests.organization import ORGANIZATION
from tests.syncs import run_sync
from tests.waiting import LIMIT_SECONDS

pytestmark = IN_SESSION_LOOP

EDITS = 4
NOTE_TEXTS = """ids => {
  window.texts = Object.fromEntries(ids.map((id) => [id, []]));
  const start = document.getElementById('start');
  const noteStart = () => window.texts.start.push(String(start.disabled || start.ariaDisabled === 'true'));
  window.texts.start = [];
  noteStart();
  new MutationObserver(noteStart).observe(start, { attributes: true });
  for (const id of ids) {
    const note = () => {
      const text = document.getElementById(id).textContent;
      if (window.texts[id].at(-1) !== text) window.texts[id].push(text);
    };
    note();
    const all = { childList: true, subtree: true, characterData: true };
    new MutationObserver(note).observe(document.getElementById(id), all);
  }
}"""


@asynccontextmanager
async def _live(settings: Settings) -> AsyncIterator[Served]:
    """A server that looks each second, after a first sync."""
    quick = settings.model_copy(update={"refresh_seconds": 1, "cliniko_requests_per_minute": 0})
    async with serving(quick) as served:
        await run_sync(served.server.runtime)
        yield served


def _books(clinic: Clinic, name: str) -> str:
    """A patient joins and books a visit, whose id is returned."""
    patient = clinic.insert_patient(first_name=name, last_name="Newcomer")
    return clinic.insert_appointment(patient, utc_now() + timedelta(days=5))


async def _figure(page: Page) -> int:
    return int(await page.locator("#figure-active").inner_text())


async def _serious_findings(page: Page) -> list[Any]:
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    return [one["id"] for one in found.response["violations"] if one["impact"] != "minor"]


async def test_a_change_in_cliniko_comes_to_the_page_by_itself_with_its_reason(settings: Settings, open_page: OpenPage):
    """The figure, “+1 active” and the reason appear together; nothing else moves, and screen readers hear it once."""
    async with _live(settings) as served:
        page = await open_page(f"{served.url}/?organization={ORGANIZATION}")
        await expect(page.locator("#live-none")).to_be_visible()
        await expect(page.locator("#freshness-text")).to_have_text(
            re.compile(r"Live: looks every 1 s · updated \d+ s ago")
        )
        active = await _figure(page)
        await page.evaluate(
            NOTE_TEXTS, ["badge", "percent-number", "step-text", "figure-active", "announcer", "live-link"]
        )
        visit = _books(served.emulator.clinic, "Mia")
        await expect(page.locator("#live-link")).to_have_text("+1 active")
        change = page.locator("#latest-list li").first
        await expect(change).to_contain_text("Mia Newcomer")
        await expect(change).to_contain_text("Became active")
        await expect(page.locator("#announcer")).to_have_text("Live: 1 patient became active.")
        served.emulator.clinic.cancel(VISITS, visit)
        await expect(page.locator("#live-link")).to_have_text("−1 active")
        await expect(change).to_contain_text("Not active")
        await expect(page.locator("#announcer")).to_have_text("Live: 1 patient became inactive.")
        shown = await page.evaluate("window.texts")
        assert shown["figure-active"] == [str(active), str(active + 1), str(active)], "no other number in between"
        assert (shown["badge"], shown["percent-number"]) == (["Completed"], ["100"]), "looks don't show as syncs"
        assert len(shown["step-text"]) == 1
        assert shown["announcer"][1:] == ["Live: 1 patient became active.", "Live: 1 patient became inactive."]
        for scheme, width in (("light", 1280), ("dark", 360)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": 900})
            assert await _serious_findings(page) == [], scheme
        assert set(shown["start"]) == {"false"}, "people can start a sync at any time"
        updates = page.locator("#past tr.updates")
        await expect(updates).to_have_count(1)
        await expect(updates).to_contain_text(re.compile(r"\d live updates, "))
        await expect(updates).to_contain_text("2 changes of patients")
        await updates.get_by_role("link").click()
        await expect(page.locator("#changes-view")).to_be_visible()
        await page.go_back()
        await page.locator("#live-link").click()
        await expect(page.locator("#changes-list li")).to_contain_text("Mia Newcomer")
        await page.close()  # before its server


@pytest.mark.timeout(300)  # a minute on a busy machine
async def test_edits_at_random_moments_mark_their_rows_in_an_open_list(settings: Settings, open_page: OpenPage):
    """A list without a person at work in it follows, and each changed patient's row names the change."""
    async with _live(settings) as served:
        page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL", reduced_motion="reduce")
        await expect(page.locator(".patient .name button").first).to_be_visible()
        await note_shown_changes(page)
        edits = LiveEdits(served.emulator.clinic, random.Random(8))
        for _ in range(EDITS):
            await asyncio.sleep(edits.choice.random())  # looks are a second apart
            edits.make()
            async with asyncio.timeout(LIMIT_SECONDS):
                while edits.waiting:
                    await edits.note(page)
                    await asyncio.sleep(0.05)
        print("Seconds until each was shown:", [round(seconds, 1) for seconds in edits.latencies])
        assert len(edits.latencies) == EDITS
        marked = page.locator(".patient.is-new").first
        await expect(marked.locator(".just")).to_be_visible()
        assert await marked.evaluate("row => getComputedStyle(row).animationName") == "none"
        rows = await page.locator(".patient").count()
        await expect(page.locator("#list-note")).to_contain_text(f"{rows} patients")
        await expect(page.locator("#list-tabs [aria-current] b")).to_have_text(str(rows))
        assert await _serious_findings(page) == []
        await page.close()


async def test_people_who_may_not_see_patients_get_the_numbers_alone(settings: Settings, open_page: OpenPage):
    """Without the right to read patients the page says “+1 active”, and not who."""
    async with issuing() as server:
        guarded = jwt_settings(settings, server.issuer, patient_roles=("reception",))
        async with _live(guarded) as served:
            member = server.issuer.token(ORGANIZATION, role="member", lifetime_seconds=600)
            page = await open_page(f"{served.url}/?organization={ORGANIZATION}#token={member}")
            await expect(page.locator("#live-none")).to_be_visible()
            active = await _figure(page)
            _books(served.emulator.clinic, "Mia")
            await expect(page.locator("#live-link")).to_have_text("+1 active")
            await expect(page.locator("#figure-active")).to_have_text(str(active + 1))
            await expect(page.locator("#latest")).to_be_hidden()
            assert await page.locator("#live-link").get_attribute("href") is None
            assert "Mia" not in await page.content()
            await page.close()
