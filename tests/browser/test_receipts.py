"""Receipts, modes and the next sync on the page: agreement in words only where the receipt agrees."""

import re
from dataclasses import replace

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from routiq_gql.database.tables import MIRROR
from routiq_gql.emulator import Fault
from routiq_gql.sync.receipt import Receipt, to_json
from tests.browser.conftest import IN_SESSION_LOOP, OpenPage
from tests.browser.serving import Served, expect_status
from tests.receipts import AGREES, ATTENDEES, DENIED, DIFFERS, IN_PART, PATIENTS, store_receipt

pytestmark = IN_SESSION_LOOP


@pytest.mark.parametrize("refused", [(), ("refuse_sockets",), ("refuse_sockets", "refuse_streams")])
async def test_the_receipt_of_a_sync_comes_with_its_end(served: Served, open_page: OpenPage, refused: tuple[str, ...]):
    """Over any transport, the end of a sync brings its receipt and its mode; the history has the same line."""
    for name in refused:
        setattr(served.proxy, name, True)
    page = await open_page(served.url, line_may_break=True)
    await expect_status(page, "Idle")
    await expect(page.get_by_role("button", name="Full sync")).to_be_hidden()
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Completed")
    line = page.locator("#receipt-text")
    await expect(line).to_have_text(re.compile(r"^Agrees with Cliniko, checked \d\d:\d\d; \d+ requests; \+[\d,]+$"))
    await expect(page.locator("#receipt")).to_have_attribute("data-tone", "green")
    await expect(page.locator("#mode")).to_have_text(" · full sync")
    await expect(page.locator("#past tr")).to_have_count(1)
    await expect(page.locator("#past .verdict")).to_have_text(await line.inner_text())
    await expect(page.locator("#past td.mode")).to_have_text("Full")


async def test_a_second_sync_reads_changes_and_a_full_sync_is_one_click(served: Served, open_page: OpenPage):
    """Start sync reads changes only and says that there were none; Full sync reads everything again."""
    page = await open_page(served.url)
    for number, button in enumerate(("Start sync", "Start sync", "Full sync"), 1):
        await page.get_by_role("button", name=button).click()
        # A sync without changes may be over before the page shows that it runs.
        await expect(page.locator("#past td.mode")).to_have_count(number)
        await expect_status(page, "Completed")
        await expect(page.locator("#start")).to_be_enabled()
    await expect(page.locator("#receipt-text")).to_contain_text("no changes")
    await expect(page.locator("#past td.mode")).to_have_text(["Full", "Incremental", "Full"])


@pytest.mark.parametrize(
    ("receipt", "differences", "gaps"),
    [
        (DIFFERS, ["Patients: 641 in Cliniko, 640 stored"], []),
        (
            replace(DIFFERS, lists=(replace(PATIENTS, agrees=False), replace(ATTENDEES, compared=60, agrees=None))),
            ["Patients: they kept changing during the comparison"],
            ["Attendees: compared in 60 of 147 classes"],
        ),
        (
            replace(DIFFERS, lists=(replace(ATTENDEES, compared=60, in_cliniko=31, agrees=False),)),
            ["Attendees: 31 in Cliniko, 30 stored (compared in 60 of 147 classes)"],
            [],
        ),
        (
            replace(DIFFERS, lists=(DIFFERS.lists[0], replace(ATTENDEES, in_cliniko=None, agrees=None), DENIED)),
            [
                "Patients: 641 in Cliniko, 640 stored",
                "Attendees: not compared, as Cliniko did not list them by class",
            ],
            ["Practitioners: not compared, as the key may not read them"],
        ),
    ],
)
async def test_a_difference_is_named_and_never_called_agreement(
    served: Served, open_page: OpenPage, receipt: Receipt, differences: list[str], gaps: list[str]
):
    """If the receipt does not agree, the page names each list that differs, with both numbers, in amber."""
    final = await served.server.until_ended(await served.server.start_sync())
    await store_receipt(served.server.runtime.database, final["sync_id"], receipt)
    page = await open_page(served.url)
    await expect(page.locator("#receipt-text")).to_have_text(
        re.compile(r"^Does not agree with Cliniko yet, checked 2 Mar 2026, \d\d:02; 14 requests; ")
    )
    await expect(page.locator("#receipt")).to_have_attribute("data-tone", "amber")
    await expect(page.locator("#receipt-details li")).to_have_text([*differences, *gaps])
    await expect(page.locator("#past .verdict")).to_have_attribute("data-tone", "amber")
    await expect(page.locator("#past .why")).to_have_text(differences)
    await expect(page.get_by_text("Agrees with Cliniko")).to_have_count(0)


@pytest.mark.parametrize("stored", [None, True])
async def test_a_list_that_cliniko_did_not_count_is_named_and_never_called_agreement(
    served: Served, open_page: OpenPage, stored: bool | None
):
    """If Cliniko did not count patients, page and history say so in blue, also of a sync of an earlier version."""
    final = await served.server.until_ended(await served.server.start_sync())
    old = {**to_json(IN_PART), "agrees": stored}
    await store_receipt(served.server.runtime.database, final["sync_id"], IN_PART, receipt=old)
    page = await open_page(served.url)
    line = page.locator("#receipt-text")
    await expect(line).to_have_text(
        re.compile(
            r"^Compared in part with Cliniko, checked 2 Mar 2026, \d\d:02: Cliniko did not count patients; "
            r"14 requests; \+2, ~5, −1$"
        )
    )
    await expect(page.locator("#receipt")).to_have_attribute("data-tone", "blue")
    await expect(page.locator("#receipt-mark")).to_have_attribute("d", re.compile("^M"))
    await expect(page.locator("#receipt-details li")).to_have_count(0)
    await expect(page.locator("#past .verdict")).to_have_text(await line.inner_text())
    await expect(page.locator("#past .verdict")).to_have_attribute("data-tone", "blue")
    await expect(page.get_by_text("Agrees with Cliniko")).to_have_count(0)
    await expect(page.get_by_text("Does not agree")).to_have_count(0)


async def test_a_sync_that_cliniko_did_not_let_compare_says_so(served: Served, open_page: OpenPage):
    """A whole sync during which Cliniko counts no patients by id ends without “agrees”."""
    served.emulator.faults.add(Fault("refuse_filter", "patients", times=None, filter="id:<="))
    page = await open_page(served.url)
    await page.get_by_role("button", name="Start sync").click()
    await expect_status(page, "Completed")
    await expect(page.locator("#receipt-text")).to_contain_text(": Cliniko did not count patients; ")
    await expect(page.locator("#announcer")).to_have_text(
        "Sync completed. Compared in part with Cliniko: Cliniko did not count patients."
    )


async def test_unreadable_rows_and_no_comparison_are_mentioned(served: Served, open_page: OpenPage):
    """A receipt without a comparison does not claim agreement, and unreadable rows are counted."""
    final = await served.server.until_ended(await served.server.start_sync())
    uncompared = replace(AGREES, lists=(replace(PATIENTS, in_cliniko=None, agrees=None, unreadable=2),))
    await store_receipt(served.server.runtime.database, final["sync_id"], uncompared)
    page = await open_page(served.url)
    await expect(page.locator("#receipt-text")).to_have_text(
        re.compile(r"^Not compared with Cliniko, checked .*: Cliniko did not count patients; 14 requests; ")
    )
    await expect(page.locator("#receipt")).to_have_attribute("data-tone", "grey")
    await expect(page.locator("#receipt-details li")).to_have_text(
        ["2 rows of Cliniko can’t be read; the log names the first ones"]
    )


async def test_a_window_kept_from_an_earlier_version_is_mentioned(served: Served, open_page: OpenPage):
    """The page says that only the recent and upcoming days are stored, and which setting stores more."""
    await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url)
    notice = page.locator("#keeps-window")
    await expect_status(page, "Completed")
    await expect(notice).to_be_hidden()
    async with served.server.runtime.database.writing() as connection:
        await connection.execute(update(MIRROR).values(keeps_window=True))
    await page.reload()
    await expect(notice).to_contain_text("only appointments from 30 days ago to 30 days ahead")
    await expect(notice).to_contain_text("ROUTIQ_HISTORY_DAYS")


async def test_a_sync_without_a_receipt_shows_none(served: Served, open_page: OpenPage):
    """A cancelled sync has no receipt, and the page shows none, neither of an earlier sync."""
    await served.server.until_ended(await served.server.start_sync())
    page = await open_page(served.url)
    await expect(page.locator("#receipt")).to_be_visible()
    served.gate.hold("patients")
    await page.get_by_role("button", name="Start sync").click()
    await served.gate.reached()
    await page.get_by_role("button", name="Cancel").click()
    await expect_status(page, "Cancelled")
    await expect(page.locator("#receipt")).to_be_hidden()
