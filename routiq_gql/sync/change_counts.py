"""What a sync has changed, in numbers: stored with the sync when it is published, and shown wherever syncs are listed.

``patients.changes`` lists the patients behind these numbers for as long as their versions are kept. The numbers stay
with the sync.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """How many patients a sync has changed. One patient may count several times, except in ``patients``.

    Attributes:
        patients: All patients with a change, also those whose lists alone changed.
        added: Patients that appeared in Cliniko.
        changed: Patients whose own data differ: a name, an e-mail address, a phone number, or whether they are
            archived.
        vanished: Patients that Cliniko no longer has.
    """

    patients: int
    added: int
    changed: int
    vanished: int
    became_active: int
    became_inactive: int

    @property
    def sentence(self) -> str:
        """``+2 active, −1; 3 patients added, 12 changed``, for the log and for tables."""
        active = [f"+{self.became_active:,}"] if self.became_active else []
        active += [f"−{self.became_inactive:,}"] if self.became_inactive else []
        first = ", ".join([f"{active[0]} active", *active[1:]]) if active else ""
        counts = [(self.added, "added"), (self.changed, "changed"), (self.vanished, "no longer in Cliniko")]
        parts = [(count, text) for count, text in counts if count]
        rest = ""
        if parts:
            count, text = parts[0]
            noun = "patient" if count == 1 else "patients"
            rest = ", ".join([f"{count:,} {noun} {text}", *(f"{count:,} {text}" for count, text in parts[1:])])
        if first or rest:
            return "; ".join(filter(None, [first, rest]))
        if self.patients:
            return (
                "The lists of 1 patient changed"
                if self.patients == 1
                else f"The lists of {self.patients:,} patients changed"
            )
        return "No patient changed"


def to_json(counts: ChangeCounts) -> dict[str, object]:
    """The form in which the counts are stored."""
    return {"format": FORMAT, **asdict(counts)}


def read_changes(stored: Mapping[str, object] | None) -> ChangeCounts | None:
    """The stored counts; ``None`` without any, and for a format of a later version."""
    if stored is None or stored.get("format") != FORMAT:
        return None
    counts = {one.name: stored.get(one.name) for one in fields(ChangeCounts)}
    return ChangeCounts(**{name: count if isinstance(count, int) else 0 for name, count in counts.items()})
