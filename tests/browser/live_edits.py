"""Edits in an emulated clinic whose effect a person sees on the page, and when the page showed each of them.

The page is a list of all patients. It marks the row of a patient who has just changed with a word, such as “Active”.
"""

import random
import time
from dataclasses import dataclass, field
from datetime import timedelta

from playwright.async_api import Page

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic

VISITS = "individual_appointments"
MOST_PATIENTS = 40
"""Added patients; with more rows the page would keep those in sight only."""

_NOTE = """() => {
  window.shownChanges = [];
  const known = new Set();
  const note = () => {
    for (const mark of document.querySelectorAll('.patient .just')) {
      const key = [mark.closest('.patient').querySelector('.name button').textContent, mark.textContent].join(' ');
      if (!known.has(key)) window.shownChanges.push([key, Date.now()]);
      known.add(key);
    }
    for (const key of known) {
      const is = [...document.querySelectorAll('.patient .just')].some((mark) =>
        key === [mark.closest('.patient').querySelector('.name button').textContent, mark.textContent].join(' '));
      if (!is) known.delete(key);
    }
  };
  note();
  new MutationObserver(note).observe(document.getElementById('list-rows'), { childList: true, subtree: true });
}"""


async def note_shown_changes(page: Page) -> None:
    """Note from now on when the open list marks a row."""
    await page.evaluate(_NOTE)


async def shown_changes(page: Page) -> list[tuple[str, float]]:
    """The marks so far, ``Mia Newcomer7 Just now: Active``, and when each appeared, in seconds since 1970."""
    return [(key, at / 1000) for key, at in await page.evaluate("window.shownChanges")]


@dataclass
class LiveEdits:
    """Makes edits one after the other; no patient has two edits that are not shown yet."""

    clinic: Clinic
    choice: random.Random
    waiting: dict[str, float] = field(default_factory=dict)  # the mark, and when the edit was made
    latencies: list[float] = field(default_factory=list)
    _patients: dict[str, tuple[str, str]] = field(default_factory=dict)  # the name, and the visit
    _inactive: set[str] = field(default_factory=set)
    _made: int = 0
    _noted: int = 0

    def make(self) -> str:
        """Make one edit and return the mark that the page is to show."""
        free = [
            one
            for one, (name, _) in self._patients.items()
            if not any(mark.startswith(f"{name} ") for mark in self.waiting)
        ]
        way = self.choice.choice(["join", "cancel", "book", "rename"]) if free else "join"
        if way == "join" and len(self._patients) < MOST_PATIENTS:
            name, mark = self._join(), "New, Active"
        else:
            patient = self.choice.choice(free)
            name, mark = self._change(patient, renames=way == "rename")
        key = f"{name} Just now: {mark}"
        self.waiting[key] = time.time()
        return key

    def _join(self) -> str:
        self._made += 1
        patient = self.clinic.insert_patient(first_name="Mia", last_name=f"Newcomer{self._made}")
        visit = self.clinic.insert_appointment(patient, utc_now() + timedelta(days=self.choice.randint(2, 20)))
        name = f"Mia Newcomer{self._made}"
        self._patients[patient] = (name, visit)
        return name

    def _change(self, patient: str, *, renames: bool) -> tuple[str, str]:
        name, visit = self._patients[patient]
        if renames:
            self._made += 1
            self.clinic.rename(patient, last_name=f"Newcomer{self._made}")
            name = f"Mia Newcomer{self._made}"
            self._patients[patient] = (name, visit)
            return name, "Changed"
        if patient in self._inactive:
            self._inactive.remove(patient)
            self.clinic.uncancel(VISITS, visit)
            return name, "Active"
        self._inactive.add(patient)
        self.clinic.cancel(VISITS, visit)
        return name, "Not active"

    async def note(self, page: Page) -> None:
        """Note which edits the page has shown, and how long each took."""
        shown = await shown_changes(page)
        for key, at in shown[self._noted :]:
            # A comparison may find a new patient before the visit: then the page shows “New” first, and “Active” later.
            both = key.replace("Just now: Active", "Just now: New, Active")
            made = self.waiting.pop(key, None) or self.waiting.pop(both, None)
            if made is not None:
                self.latencies.append(at - made)
        self._noted = len(shown)
