"""A sync on the page: started, cancelled, reloaded, watched by others. A real server, in Chromium."""

from playwright.async_api import expect

from routiq_gql.clock import utc_now
from routiq_gql.emulator import demo_clinic
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served, expect_status, expect_whole_log, until_at_gate
from tests.organization import ORGANIZATION

pytestmark = IN_SESSION_LOOP


async def test_all_eight_steps_light_up(serve: Serve, open_page: OpenPage):
    """Each step runs and stays done; badge, bar and counts agree; the end is completed."""
    served = await serve(clinic=demo_clinic(utc_now()))
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    steps, progress = page.locator("#steps li"), page.get_by_role("progressbar")
    await expect(steps).to_have_count(8)
    await expect(page.locator("#link-text")).to_have_text("Live · websocket")
    await until_at_gate(served, "patients", page, "Fetching patients")
    stations = [
        ("individual_appointments", 4, 37, "Fetching patients"),
        ("appointment_types", 5, 50, "Fetching appointments"),
        (None, 6, 62, "Fetching appointments"),
    ]
    for following, number, least, word in stations:
        await expect_status(page, word)
        await expect(page.locator("#steps li[aria-current=step]")).to_have_attribute("data-step", str(number))
        await expect(page.locator("#steps li[data-state=done]")).to_have_count(number - 1)
        assert least <= int(await progress.get_attribute("aria-valuenow") or 0) < 100
        assert f"step {number} of 8" in (await progress.get_attribute("aria-valuetext") or "")
        served.gate.open()
        if following:
            served.gate.hold(following)
            await served.gate.reached()
    await expect_status(page, "Completed")
    await expect(page.locator("#steps li[data-state=done]")).to_have_count(8)
    await expect(progress).to_have_attribute("aria-valuenow", "100")
    await expect(page.locator("#step-text")).to_have_text("Sync completed successfully!")
    counts = await page.locator(".counts dd").all_inner_texts()
    assert counts == ["641", "1,247", "89", "89"]
    await expect(page.locator("#patients-figure")).to_have_text("89 of 641 patients seen or booked within 30 days")
    await expect(page.locator("#patients .pairs").first).to_contain_text("66")
    await expect_whole_log(page, served)
    told = await page.locator("#log li .step").all_inner_texts()
    assert set(told) == {f"Step {number}" for number in range(1, 9)}
    await expect(page.get_by_role("button", name="Start sync")).to_be_enabled()
    await expect(page.get_by_role("button", name="Cancel")).to_be_disabled()


async def test_a_sync_is_cancelled_in_the_middle_and_started_again(served: Served, open_page: OpenPage):
    """The page shows the cancellation at once, and the next start is possible at once and runs to the end."""
    page = await open_page(served.url)
    await until_at_gate(served, "patients", page, "Fetching patients")
    await page.get_by_role("button", name="Cancel").click()
    await expect_status(page, "Cancelled")
    await expect(page.locator("#failure")).to_be_visible()
    await expect(page.locator("#failure")).to_contain_text("Sync cancelled by user")
    await expect(page.locator("#steps li[data-state=cancelled]")).to_have_attribute("data-step", "4")
    await expect(page.locator("#active-stored")).to_have_text("–")
    served.gate.open()
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Completed")
    await expect(page.locator("#failure")).to_be_hidden()
    await expect_whole_log(page, served)
    await expect(page.locator("#past .badge")).to_have_text(["Completed", "Cancelled"])
    await expect(page.locator("#past [data-name='Active stored']")).to_have_text(["12", "–"])


async def test_a_reload_in_the_middle_shows_the_same_sync(served: Served, open_page: OpenPage):
    """After a reload the running sync is shown at once, with its whole log, and continues."""
    page = await open_page(served.url)
    await until_at_gate(served, "individual_appointments", page, "Fetching appointments")
    await page.reload()
    await expect_status(page, "Fetching appointments")
    await expect_whole_log(page, served)
    served.gate.open()
    await expect_status(page, "Completed")
    await expect_whole_log(page, served)


async def test_a_second_page_follows_the_same_sync(served: Served, open_page: OpenPage):
    """A page opened earlier shows a sync started on another page, and its cancellation, without a click."""
    here, there = await open_page(served.url), await open_page(served.url)
    await expect_status(there, "Idle")
    await until_at_gate(served, "patients", here, "Fetching patients")
    await expect_status(there, "Fetching patients")
    await expect_whole_log(there, served)
    await there.get_by_role("button", name="Cancel").click()
    await expect_status(here, "Cancelled")
    served.gate.open()
    await there.get_by_role("button", name="Start sync").click()
    for page in (here, there):
        await expect_status(page, "Completed")
        await expect_whole_log(page, served)


async def test_a_sync_started_elsewhere_is_shown(served: Served, open_page: OpenPage):
    """A sync started over REST appears on an open page, and so does its end."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    served.gate.hold("patients")
    sync_id = await served.server.start_sync()
    await expect_status(page, "Fetching patients")
    await served.server.http.delete(f"/api/v1/sync/cancel/{sync_id}")
    await expect_status(page, "Cancelled")


async def test_another_organization_is_chosen_in_the_form(served: Served, open_page: OpenPage):
    """The form switches to another organization, which is in the address for a bookmark; the back button returns."""
    page = await open_page(served.url)
    await expect_status(page, "Idle")
    await page.get_by_role("button", name="Organization…").click()
    await page.get_by_label("Organization", exact=True).fill("org_other")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator("#connection-state")).to_have_text("Not connected")
    assert page.url.endswith("?organization=org_other")
    await page.go_back()
    await expect(page.locator("#connection-state")).to_have_text("Connected")
    await expect(page.locator("#organization-id")).to_have_text(ORGANIZATION)
