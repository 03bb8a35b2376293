"""The page's display besides the progress: failures, waits, connections, history, the log; and hostile texts."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, Route, expect

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, awkward_clinic
from tests.browser.conftest import IN_SESSION_LOOP, PATIENCE_MILLISECONDS, OpenPage, Serve
from tests.browser.serving import Served, expect_status, expect_whole_log, until_at_gate
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP

HOSTILE = '<img src=x onerror="window.wasHacked=1"><script>window.wasHacked=1</script>&amp;\'"`${1}'


async def _start(page: Page) -> None:
    await page.get_by_role("button", name="Start sync").click()


async def _record_texts(page: Page, element_id: str) -> Callable[[], Awaitable[list[str]]]:
    """Record every text of an element from now on, however brief; call the result to read them."""
    await page.evaluate(
        """(id) => {
            window.recorded = [];
            const target = document.getElementById(id);
            new MutationObserver(() => window.recorded.push(target.textContent)).observe(target, { childList: true });
        }""",
        element_id,
    )
    return lambda: page.evaluate("window.recorded")


async def test_a_failure_comes_with_advice(served: Served, open_page: OpenPage):
    """A refused key fails the sync at its step, with a sentence and advice, and the page asks for a new key."""
    served.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    page = await open_page(served.url)
    await _start(page)
    await expect_status(page, "Failed")
    failure = page.locator("#failure")
    await expect(failure).to_be_visible()
    await expect(failure).to_contain_text("Cliniko refused the API key.")
    await expect(failure).to_contain_text("connect again")
    await expect(page.locator("#step-text")).to_have_text("Failed while checking credentials.")
    await expect(failure).to_contain_text("KEY_REFUSED")
    await expect(page.locator("#steps li[data-state=failed]")).to_have_attribute("data-step", "3")
    await expect(page.locator("#connection-state")).to_have_text("Needs attention")
    served.emulator.faults.clear()
    await page.get_by_label("Cliniko API key").fill(EMULATED_API_KEY)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#connection-state")).to_have_text("Connected")
    await _start(page)
    await expect_status(page, "Completed")


async def test_a_wait_for_the_rate_limit_counts_down(served: Served, open_page: OpenPage):
    """During a wait for Cliniko's rate limit the page counts the seconds down, and then continues."""
    served.emulator.faults.add(Fault(FaultKind.RATE_LIMIT, resource="patients", seconds=6, only_above_per_page=1))
    page = await open_page(served.url)
    texts = await _record_texts(page, "step-text")
    await _start(page)
    waiting = page.locator("#waiting")
    await expect(waiting).to_be_visible()
    await expect_status(page, "Completed")
    await expect(waiting).to_be_hidden()
    shown = [re.fullmatch(r"Waiting for Cliniko's rate limit, resuming in (\d+) s", text) for text in await texts()]
    seconds = [int(match[1]) for match in shown if match]
    assert len(set(seconds)) >= 3
    assert seconds == sorted(seconds, reverse=True)
    assert await page.locator("#log li.warning").count() == 1


async def test_an_organization_without_connection_is_connected(serve: Serve, open_page: OpenPage):
    """Start is disabled; a wrong key is refused with a sentence; the right key connects; no key stays on the page."""
    served = await serve(is_connected=False)
    page = await open_page(served.url)
    await expect(page.locator("#step-text")).to_have_text("Not connected to Cliniko yet.")
    await expect(page.get_by_role("button", name="Start sync")).to_be_disabled()
    key = page.get_by_label("Cliniko API key")
    assert await key.get_attribute("type") == "password"
    for wrong in ("MS0xLXdyb25n-au1", "not a key"):
        await key.fill(wrong)
        await page.keyboard.press("Enter")
        if wrong.startswith("MS"):
            await expect(page.locator("#connect-message")).to_contain_text("key")
        else:
            await expect(page.get_by_role("alert")).to_contain_text("key")
        await expect(page.get_by_role("button", name="Connect", exact=True)).to_be_enabled()
    await key.fill(EMULATED_API_KEY)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#connection-state")).to_have_text("Connected")
    await expect(key).to_have_value("")  # the dashboard may say so before the answer to the request
    assert EMULATED_API_KEY not in await page.content()
    await expect(page.get_by_role("button", name="Start sync")).to_be_enabled()
    await expect(page.locator("#account")).to_have_text(served.emulator.clinic.name)


async def test_history_lists_past_syncs_with_a_chart(serve: Serve, open_page: OpenPage):
    """Each past sync is a row with outcome, duration and counts, and a bar; totals are above, more rows on request."""
    served = await serve(is_connected=False)
    for _ in range(21):  # which fail at once
        await served.server.until_ended(await served.server.start_sync())
    await served.server.connect_organization(served.cliniko_url, EMULATED_API_KEY)
    await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url)
    rows, bars, summary = page.locator("#past tr"), page.locator("#chart rect"), page.locator("#history-summary")
    await expect(rows).to_have_count(20)
    await expect(summary).to_contain_text("1 completed · 21 failed")
    await expect(summary).to_contain_text("on average")
    await expect(rows.first).to_contain_text("Completed")
    await expect(rows.nth(1).locator(".reason")).to_have_text("This organization is not connected to Cliniko.")
    await expect(bars).to_have_count(20)
    assert await bars.evaluate_all("bars => bars.map((bar) => bar.dataset.tone)") == ["red"] * 19 + ["green"]
    await page.get_by_role("button", name="Show more").click()
    await expect(rows).to_have_count(22)
    await expect(bars).to_have_count(22)
    await expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    await _start(page)
    await expect(summary).to_contain_text("2 completed")


async def test_the_log_is_filtered_and_cleared(served: Served, open_page: OpenPage):
    """Levels can be switched off and on; a cleared log stays empty until the next line."""
    page = await open_page(served.url)
    await _start(page)
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)
    info, success = page.locator("#log li.info"), page.locator("#log li.success")
    toggle = page.get_by_role("button", name="Info", exact=True)
    await toggle.click()
    await expect(toggle).to_have_attribute("aria-pressed", "false")
    await expect(info.first).to_be_hidden()
    await expect(success.first).to_be_visible()
    await toggle.click()
    await expect(info.first).to_be_visible()
    assert (
        await page.locator("#log li .text").first.inner_text() == "Sync completed successfully!"
    )  # the newest is on top
    await page.get_by_role("button", name="Clear log").click()
    await expect(page.locator("#log li")).to_have_count(0)
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.locator("#announcer")).to_have_text("Refreshed.")
    await expect(page.locator("#log li")).to_have_count(0)
    await _start(page)
    await expect(page.locator("#past tr")).to_have_count(2)
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def test_time_so_far_grows_and_an_end_is_dated(served: Served, open_page: OpenPage):
    """During a sync the page counts the seconds; afterwards it shows the duration and the end."""
    page = await open_page(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    texts = await _record_texts(page, "time-so-far")
    async with asyncio.timeout(PATIENCE_MILLISECONDS / 1000):
        while len(set(await texts())) < 2:
            await asyncio.sleep(0.1)
    seconds = [int(text.split()[-2]) for text in await texts()]
    assert seconds == sorted(seconds)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect(page.locator("#time-so-far")).to_contain_text("Took")
    await expect(page.locator("#time-left")).to_contain_text(re.compile(r"Ended .*\d\d:\d\d$"))
    await expect(page).to_have_title(f"Completed · {served.emulator.clinic.name}")
    await expect(page.locator("#as-of")).to_have_text(re.compile(r"\d\d:\d\d$"))


async def test_hostile_texts_are_shown_as_text(serve: Serve, open_page: OpenPage):
    """Markup in a clinic's name, an organization or an address is shown as text and has no effect."""
    clinic = awkward_clinic(utc_now())
    clinic.name = HOSTILE
    served = await serve(clinic=clinic)
    page = await open_page(served.url)
    await expect(page.locator("#title")).to_have_text(HOSTILE)
    await expect(page.locator("#account")).to_have_text(HOSTILE)
    await _start(page)
    await expect_status(page, "Completed")
    await page.goto(f"{served.url}/?organization={HOSTILE}&api=javascript:window.wasHacked=1#token={HOSTILE}")
    await expect(page.locator("#organization-id")).to_have_text(HOSTILE.partition("&")[0])
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await page.evaluate("window.wasHacked") is None
    assert await page.locator("img, main script").count() == 0


async def test_a_hostile_server_can_write_no_markup(served: Served, open_page: OpenPage):
    """No string in a server's responses can add elements to the page."""
    page = await open_page(line_may_break=True)

    async def answer_with_markup(route: Route) -> None:
        answer = await route.fetch()
        text = await answer.text()
        # Every text of the response becomes hostile, except times and words that programs read.
        hostile = re.sub(
            r'"(currentStep|message|whatToDo|account)":\s*"[^"]*"',
            lambda found: f'"{found[1]}": "<img src=x onerror=window.wasHacked=1>"',
            text,
        )
        await route.fulfill(response=answer, body=hostile)

    served.proxy.refuse_sockets = served.proxy.refuse_streams = True
    await page.route("**/graphql", answer_with_markup)
    await page.goto(served.url)
    served.emulator.faults.add(Fault(FaultKind.STATUS_401))
    await _start(page)
    await expect_status(page, "Failed")
    await expect(page.locator("#log li .text").first).to_have_text("<img src=x onerror=window.wasHacked=1>")
    await expect(page.locator("#failure-advice")).to_have_text("<img src=x onerror=window.wasHacked=1>")
    assert await page.locator("img").count() == 0
    assert await page.evaluate("window.wasHacked") is None
    assert ORGANIZATION in await page.locator("#organization-id").inner_text()
