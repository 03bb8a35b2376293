"""The lists of patients on the page: each figure opens its list, which says why, also with 50,000 patients."""

import json
import random
import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from routiq_gql.clock import utc_now
from routiq_gql.sync.change_counts import ChangeCounts, to_json
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage, Serve
from tests.browser.serving import Served
from tests.organization import ORGANIZATION
from tests.patients.clinics import ListedClinic, Person, Visit, random_person

pytestmark = IN_SESSION_LOOP

DAY = timedelta(days=1)


def _clinic(served: Served) -> ListedClinic:
    return ListedClinic(served.server.runtime.database, ORGANIZATION)


def _few(at=None) -> list[Person]:
    """Ana is active and booked, Ben was seen last week, and Cleo has no appointments."""
    now = at or utc_now()
    ana = (Visit(1, now - 3 * DAY), Visit(2, now + 5 * DAY, type_id=601))
    return [
        Person(11, "Ana", "Adams", phone="0400 111 222", email="ana@example.com", visits=ana),
        Person(
            12, "Ben", "Brown", preferred_first_name="Benny", visits=(Visit(3, now - 8 * DAY, practitioner_id=502),)
        ),
        Person(13, "Cleo", "Clark"),
    ]


def _names(page: Page) -> Locator:
    return page.locator(".patient .name button")


async def _expect_list(page: Page, title: str, *names: str) -> None:
    await expect(page.locator("#list-title")).to_have_text(title)
    await expect(_names(page)).to_have_text(list(names))


async def test_every_figure_opens_its_list_and_the_back_button_returns(serve: Serve, open_page: OpenPage):
    """A figure is a link to its patients; the address holds the list, and Back returns to the figure."""
    served = await serve(is_connected=False)
    await _clinic(served).sync(_few(), utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}")
    for figure, title, names in (
        ("#figure-active", "Active patients", ["Ana Adams", "Ben Brown"]),
        ("#figure-all", "All patients", ["Ana Adams", "Ben Brown", "Cleo Clark"]),
        ("#recent", "Recent visits", ["Ana Adams", "Ben Brown"]),
        ("#upcoming", "Upcoming appointments", ["Ana Adams"]),
        ("#work dt:first-of-type", "No future appointment", ["Ben Brown"]),
        ("#patients-found", "All patients", ["Ana Adams", "Ben Brown", "Cleo Clark"]),
    ):
        link = page.locator(f"{figure} a")
        await link.focus()
        await link.press("Enter")
        await _expect_list(page, title, *names)
        await expect(page.locator("#list-title")).to_be_focused()
        await expect(page.locator("#dashboard")).to_be_hidden()
        assert re.search(r"[?&]list=[A-Z_]+$", page.url)
        await page.reload()
        await _expect_list(page, title, *names)
        await page.go_back()
        await expect(link).to_be_visible()
    await page.locator("#figure-active a").click()
    await page.get_by_role("link", name="Dashboard").click()
    await expect(page.locator("#dashboard")).to_be_visible()
    assert page.url == f"{served.url}/?organization={ORGANIZATION}"


async def test_a_list_says_why_until_when_and_how_it_is_counted(serve: Serve, open_page: OpenPage):
    """Each row has the reason, when time ends it, both appointments in the clinic's time, and the counts."""
    served = await serve(is_connected=False)
    now = utc_now()
    await _clinic(served).sync(_few(now), now)
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ACTIVE", timezone_id="Pacific/Auckland")
    row = page.get_by_role("row").filter(has_text="Ben")
    await expect(row.locator(".why")).to_contain_text(re.compile(r"\w{3} \d+ \w+"))
    await expect(row.locator(".until")).to_have_text(re.compile(r"^\w{3} \d+ \w{3}"))
    at = (now - 8 * DAY).astimezone(ZoneInfo("Australia/Sydney"))
    await expect(row.locator(".last")).to_contain_text(f"{at.day} {at:%b}, {at:%H:%M}")  # where the clinic is
    await expect(row.locator(".practitioner")).to_have_text("Tom Ode")
    await expect(row.get_by_role("cell").filter(visible=True)).to_have_count(8)  # one below each header
    await expect(row.locator(".number")).to_have_text(["1", "0"])
    await page.get_by_text("How is this counted?").click()
    await expect(page.locator("#list-counting")).to_contain_text("within the last 30 days or the next 30 days")
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_label("Contact").check()
    await page.get_by_label("Visits").uncheck()
    await expect(page.get_by_role("columnheader")).to_have_text(
        ["Name", "Why", "Until", "Last visit", "Next appointment", "Practitioner", "Missed", "Contact"]
    )
    await page.reload()
    await expect(page.get_by_role("row").filter(has_text="Ana")).to_contain_text("0400 111 222")


async def test_search_filter_and_order_leave_no_personal_text_in_the_address(serve: Serve, open_page: OpenPage):
    """Practitioner and order are in the address, what was typed is not; nothing found says what to do."""
    served = await serve(is_connected=False)
    await _clinic(served).sync(_few(), utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL")
    await expect(_names(page)).to_have_count(3)
    await page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search this list")
    await expect(search).to_be_focused()
    await page.keyboard.type("BEN")
    await _expect_list(page, "All patients", "Ben Brown")
    await expect(page.locator("mark").first).to_have_text("Ben")
    await expect(page.locator("#list-note")).to_contain_text("1 patient of 3.")
    await search.fill("nothing like it")
    await expect(page.locator("#list-empty-text")).to_contain_text("No patient of this list matches “nothing like it”.")
    assert "BEN" not in page.url
    assert "nothing" not in page.url
    await page.get_by_role("button", name="Clear search and filter").click()
    await expect(_names(page)).to_have_count(3)
    await page.get_by_role("link", name="Name").click()
    await _expect_list(page, "All patients", "Cleo Clark", "Ben Brown", "Ana Adams")
    await expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "descending")
    await page.get_by_role("combobox", name="Practitioner").select_option(label="Tom Ode")
    await _expect_list(page, "All patients", "Ben Brown")
    assert "sort=NAME_DESC" in page.url
    assert "practitioner=502" in page.url
    await page.locator("#list-tabs").get_by_role("link", name="Upcoming").click()
    await expect(page.locator("#list-empty-text")).to_contain_text("appointment with Tom Ode")
    await page.go_back()
    await _expect_list(page, "All patients", "Ben Brown")


async def test_a_patient_opens_by_keyboard_with_the_reason_for_each_list(serve: Serve, open_page: OpenPage):
    """Arrow keys move through the rows, Enter opens a patient, Escape returns; the address stays the same."""
    served = await serve(is_connected=False)
    await _clinic(served).sync(_few(), utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL")
    await expect(_names(page)).to_have_count(3)
    address = page.url
    await page.locator("#list-box").focus()
    for key, name in (("ArrowDown", "Ana Adams"), ("End", "Cleo Clark"), ("ArrowUp", "Ben Brown")):
        await page.keyboard.press(key)
        await expect(page.locator(":focus")).to_have_text(name)
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Ben Brown")
    await expect(dialog.get_by_role("listitem")).to_have_count(8)
    await expect(dialog.locator("#patient-reasons")).to_contain_text("No future appointment")
    await expect(dialog.locator("#patient-others")).to_contain_text("Upcoming appointments")
    await expect(page).to_have_title(re.compile("^(Completed · )?Patient · All patients · (?!.*Ben)"))
    await expect(dialog).to_contain_text("Benny")
    assert page.url == address
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.locator(":focus")).to_have_text("Ben Brown")
    await expect(page.locator("#patient")).not_to_contain_text("Ben")  # the event "close" follows the closing


async def test_a_list_stays_on_its_sync_until_the_newer_one_is_asked_for(serve: Serve, open_page: OpenPage):
    """When a sync publishes, an open list says so and stays; earlier syncs can be chosen."""
    served = await serve(is_connected=False)
    clinic = _clinic(served)
    before = utc_now() - timedelta(hours=1)
    first = await clinic.sync(_few(before), before)
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ACTIVE")
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown")
    await page.locator("#patient-search").focus()
    more = [*_few(), Person(14, "Dora", "Dean", visits=(Visit(9, utc_now() - DAY),))]
    await clinic.sync(more, utc_now())
    await expect(page.get_by_text("The list has changed: it has 3 patients now, and had 2.")).to_be_visible()
    await expect(page.get_by_label("As of which sync").locator("option").first).to_contain_text("Not the newest: ")
    await page.locator("#patient-search").fill("d")
    await _expect_list(page, "Active patients", "Ana Adams")
    await page.locator("#patient-search").fill("")
    await page.get_by_role("button", name="Show the newest").click()
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown", "Dora Dean")
    await expect(page.get_by_text("The list has changed")).to_be_hidden()
    await page.reload()
    await page.get_by_label("As of which sync").select_option(first)
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown")
    assert f"asOf={first}" in page.url
    await expect(page.locator("#list-tabs [aria-current]")).to_have_text("Active patients 2")
    other = await open_page(page.url)
    await _expect_list(other, "Active patients", "Ana Adams", "Ben Brown")


async def test_the_changes_of_the_last_sync_are_listed_with_their_reasons(serve: Serve, open_page: OpenPage):
    """The card says how many changed and leads to who and why; an earlier sync is compared with the newest one."""
    served = await serve(is_connected=False)
    clinic = _clinic(served)
    before = utc_now() - timedelta(hours=1)
    first = await clinic.sync(_few(before), before)
    counts = ChangeCounts(2, added=1, changed=0, vanished=0, became_active=1, became_inactive=1)
    ana, _, cleo = _few()
    dora = Person(14, "Dora", "Dean", visits=(Visit(9, utc_now() - DAY),))
    second = await clinic.sync([ana, Person(12, "Ben", "Brown"), cleo, dora], utc_now(), changes=to_json(counts))
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}")
    await expect(page.locator("#changed")).to_have_text("Last sync: +1 active, −1")
    await page.locator("#changed-link").click()
    await expect(page.locator("#changes-title")).to_be_focused()
    assert f"changes={second}" in page.url
    items = page.locator("#changes-list li")
    await expect(items).to_have_count(2)
    await expect(items.filter(has_text="Dora Dean")).to_contain_text("New")
    await expect(items.filter(has_text="Ben Brown")).to_contain_text("Not active")
    await page.get_by_role("button", name="Dora Dean").click()
    await expect(page.get_by_role("dialog", name="Dora Dean").get_by_role("listitem")).to_have_count(8)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Dora Dean")).to_be_focused()
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
    await page.go_back()
    await expect(page.locator("#changed-link")).to_be_focused()
    await page.goto(f"{served.url}/?organization={ORGANIZATION}&list=ALL&asOf={first}")
    await page.get_by_role("link", name="What changed since then").click()
    await expect(items).to_have_count(2)
    assert page.url.endswith(f"changes={second}&since={first}")


async def test_a_list_that_nobody_works_in_follows_the_newest_sync(serve: Serve, open_page: OpenPage):
    """Without a search, a focus or a scrolled row, an open list and its counts are those of the newest sync."""
    served = await serve(is_connected=False)
    clinic = _clinic(served)
    before = utc_now() - timedelta(hours=1)
    await clinic.sync(_few(before), before)
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ACTIVE")
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown")
    await expect(page).to_have_title(re.compile("Active patients · "))
    more = [*_few(), Person(14, "Dora", "Dean", visits=(Visit(9, utc_now() - DAY),))]
    await clinic.sync(more, utc_now())
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown", "Dora Dean")
    await expect(page.locator("#list-tabs [aria-current]")).to_have_text("Active patients 3")
    await expect(page.locator("#list-newer")).to_be_hidden()


async def test_an_address_that_asks_for_what_does_not_exist_says_so(serve: Serve, open_page: OpenPage):
    """A wrong list, order, practitioner or sync in the address is named, and there is a way to the newest list."""
    served = await serve(is_connected=False)
    await _clinic(served).sync(_few(), utc_now())
    wrong = "list=NOPE&sort=AGE&practitioner=Tom&asOf=garbage"
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&{wrong}")
    for text in ("There is no list “NOPE”", "There is no order “AGE”", "“Tom” is no id of a practitioner"):
        await expect(page.locator("#list-wrong")).to_contain_text(text)
    await expect(page.locator("#list-problem-text")).not_to_be_empty()
    await page.get_by_role("button", name="Show the newest list").click()
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown")
    await expect(page.locator("#list-wrong")).to_be_hidden()
    assert page.url.endswith("&list=ACTIVE")


async def test_past_syncs_show_whom_they_changed_and_their_figures_open_lists(serve: Serve, open_page: OpenPage):
    """A row of the history says “+1 active, −1” and leads to who they are; its figures open the lists of that sync."""
    served = await serve(is_connected=False)
    clinic = _clinic(served)
    before = utc_now() - timedelta(hours=1)
    first = await clinic.sync(_few(before), before)
    counts = ChangeCounts(2, added=1, changed=0, vanished=0, became_active=1, became_inactive=1)
    more = [*_few(), Person(14, "Dora", "Dean", visits=(Visit(9, utc_now() - DAY),))]
    second = await clinic.sync(more, utc_now(), changes=to_json(counts))
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}")
    rows = page.locator("#past tr")
    await rows.filter(has_text="+1 active, −1").get_by_role("link", name="+1 active, −1").click()
    await expect(page.locator("#changes-view")).to_be_visible()
    assert f"changes={second}" in page.url
    await page.go_back()
    await page.locator(f"#past tr[data-sync-id='{first}'] [data-name='Active stored'] a").click()
    await _expect_list(page, "Active patients", "Ana Adams", "Ben Brown")
    assert f"asOf={first}" in page.url


async def test_a_list_is_saved_as_a_file(serve: Serve, open_page: OpenPage, tmp_path: Path):
    """Export saves the shown list, with its search, practitioner and order; the name says whose list of which day."""
    served = await serve(is_connected=False)
    await _clinic(served).sync(_few(), utc_now())
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=ALL&practitioner=502")
    await expect(_names(page)).to_have_text(["Ben Brown"])
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as started:
        await page.get_by_role("button", name="For spreadsheets (CSV)").click()
    download = await started.value
    assert re.fullmatch(rf"{ORGANIZATION}-all-\d{{4}}-\d\d-\d\d-filtered\.csv", download.suggested_filename)
    await download.save_as(tmp_path / "patients.csv")
    lines = (tmp_path / "patients.csv").read_text().splitlines()
    assert len(lines) == 2
    assert "Brown" in lines[1]
    await page.goto(f"{served.url}/?organization={ORGANIZATION}&list=ALL&sort=NAME_DESC")
    await page.locator("#patient-search").fill("c")
    await _expect_list(page, "All patients", "Cleo Clark", "Ana Adams")
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as started:
        await page.get_by_role("button", name="For programs (JSON Lines)").click()
    await (await started.value).save_as(tmp_path / "patients.jsonl")
    found = [json.loads(line)["name"] for line in (tmp_path / "patients.jsonl").read_text().splitlines()]
    assert found == ["Cleo Clark", "Ana Adams"]


async def test_without_a_completed_sync_a_list_says_what_to_do(serve: Serve, open_page: OpenPage):
    """A list that is not made yet offers to start the sync that makes it."""
    served = await serve()
    page = await open_page(f"{served.url}/?organization={ORGANIZATION}&list=LAPSED")
    await expect(page.locator("#list-problem")).to_be_visible()
    await expect(page.locator("#list-problem").get_by_role("button", name="Start sync")).to_be_visible()
    await expect(page.locator("#list-title")).to_have_text("Lapsed")


@pytest.mark.parametrize("width", [390, 768, 1920])
async def test_nothing_overflows_and_axe_finds_nothing_in_lists(serve: Serve, open_page: OpenPage, width: int):
    """At any width, in light and dark: the card, a list, a patient, no match, and the menus."""
    served = await serve(is_connected=False)
    pick, now = random.Random(7), utc_now()
    await _clinic(served).sync([random_person(pick, number, now) for number in range(1, 25)], now)
    page = await open_page(served.url, viewport={"width": width, "height": 900}, reduced_motion="reduce")

    async def check(state: str) -> None:
        assert not await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), (
            state
        )
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = await Axe().run(page, options={"resultTypes": ["violations"]})
            assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == [], (state, scheme)

    await expect(page.locator("#figure-all a")).to_be_visible()
    await check("card")
    await page.locator("#figure-all a").click()
    await expect(_names(page).first).to_be_visible()
    await page.get_by_text("How is this counted?").click()
    await check("list")
    await page.get_by_role("button", name="Export").click()
    await check("export menu")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Columns").click()
    await check("columns menu")
    await page.keyboard.press("Escape")
    await _names(page).first.click()
    await expect(page.locator("#patient li")).to_have_count(8)
    await check("patient")
    await page.keyboard.press("Escape")
    await page.locator("#patient-search").fill("no such patient")
    await expect(page.locator("#list-empty")).to_be_visible()
    await check("no match")
