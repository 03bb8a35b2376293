"""Reads changes within a transaction: those of a sync, the difference between two, and those behind a place.

``changes.py`` checks rights, and is what other packages call. Each read states what it looks at: a span of two syncs,
and the id after which it begins.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.kept_syncs import PublishedSync, published_sync, sync_before, syncs_after
from routiq_gql.database.patient_changes import Difference, Span, differences, differing_patients, next_patients
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow
from routiq_gql.errors import BadInput
from routiq_gql.patients.change_cursors import LAST_ID, Place, change_cursor
from routiq_gql.patients.change_keys import ChangeKey
from routiq_gql.patients.change_model import ChangedField, ChangeKind, PatientChange
from routiq_gql.patients.change_reasons import Reasons, reasons_of
from routiq_gql.patients.change_sentences import sentence_of
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList
from routiq_gql.sync.change_counts import read_changes

LEAST_BATCH = 50
"""Patients that are compared at once, at least: within a span of several syncs some changes were reversed."""
MANY_CHANGES = 5_000
"""With so many changed patients, as after a change of settings, selecting all that differ for each page takes longer
than comparing the next patients, of whom many differ."""
LARGE_BATCH = 500
"""Patients that are then compared at once, which takes some 15 ms."""
SYNCS_AT_ONCE = 200
"""Syncs that are looked through at once for one with changes. Most time-only syncs of a week have some."""

_LISTS = [one.value for one in PatientList]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two syncs of an organization whose patients are compared.

    Attributes:
        is_difference: Whether they were chosen by the caller, and are not a sync and its base.
    """

    mirror: MirrorRow
    before: PublishedSync
    after: PublishedSync
    is_difference: bool = False

    @property
    def span(self) -> Span:
        return Span(self.mirror.number, self.before.key, self.after.key)


async def comparison_with_base(
    connection: AsyncConnection, mirror: MirrorRow, sync: PublishedSync
) -> Comparison | None:
    """A sync and its base; ``None`` if nothing counts as a change, as in a baseline.

    Raises:
        BadInput: The changes of the sync are no longer kept.
    """
    if sync.baseline:
        return None
    before = await sync_before(connection, mirror, sync.key)
    if before is None or not before.has_lists:
        return None
    if sync.key <= mirror.oldest_kept:
        raise await no_longer_kept(connection, mirror)
    return Comparison(mirror, before, sync)


async def page_of(
    connection: AsyncConnection, comparison: Comparison, above: int, size: int
) -> tuple[list[PatientChange], Place | None]:
    """At most ``size`` changes of patients with ids above ``above``, ascending, and the place behind them.

    The place is ``None`` behind the last change.
    """
    found = await _next_differences(connection, comparison, above, size + 1)
    page = found[:size]
    has_more = len(found) > size
    return await _changes(connection, comparison, page), Place(comparison.after.key, page[-1].id) if has_more else None


async def changes_of(
    connection: AsyncConnection, comparison: Comparison, patient_ids: Collection[int]
) -> list[PatientChange]:
    """The changes of these patients, ascending; patients without one are left out."""
    return await _changes(connection, comparison, await differences(connection, comparison.span, patient_ids, _LISTS))


async def _changes(
    connection: AsyncConnection, comparison: Comparison, found: Sequence[Difference]
) -> list[PatientChange]:
    organization_id = comparison.mirror.organization_id
    reasons = await reasons_of(connection, organization_id, comparison.before, comparison.after, found)
    return [_change(comparison, one, reasons.get(one.id, Reasons())) for one in found]


async def has_changes_until(connection: AsyncConnection, comparison: Comparison, last: int) -> bool:
    """Whether there is a change of a patient with an id of at most ``last``, such as that of a cursor.

    A page mostly follows a change that is still there, which is found by its key. It is not if the patient was erased,
    or if the cursor is the place behind an empty page.
    """
    if last != LAST_ID and await differences(connection, comparison.span, [last], _LISTS):
        return True
    first = await _next_differences(connection, comparison, 0, 1)
    return bool(first) and first[0].id <= last


async def _next_differences(
    connection: AsyncConnection, comparison: Comparison, above: int, wanted: int
) -> list[Difference]:
    """At least the next ``wanted`` differences with ids above ``above``, ascending, or all that are left."""
    found: list[Difference] = []
    if await _changed_patients(connection, comparison) < MANY_CHANGES:
        batch, candidates = max(wanted, LEAST_BATCH), differing_patients
    else:
        batch, candidates = LARGE_BATCH, next_patients
    while len(found) < wanted:
        ids = await candidates(connection, comparison.span, above, batch)
        if ids:
            found += await differences(connection, comparison.span, ids, _LISTS)
            above = ids[-1]
        if len(ids) < batch:
            break
    return found


async def _changed_patients(connection: AsyncConnection, comparison: Comparison) -> int:
    """How many patients differ at most, by the stored counts."""
    if not comparison.is_difference:
        return _patients_in(comparison.after)
    total, key = 0, comparison.before.key
    while syncs := await syncs_after(connection, comparison.mirror, key, SYNCS_AT_ONCE):
        for sync in syncs:
            if sync.key > comparison.after.key:
                return total
            total += _patients_in(sync)
        key = syncs[-1].key
    return total


def _patients_in(sync: PublishedSync) -> int:
    counts = read_changes(sync.changes)
    return counts.patients if counts is not None else 0


async def changes_behind(
    connection: AsyncConnection, organization_id: str, place: Place, size: int
) -> tuple[list[PatientChange], Place]:
    """At most ``size`` changes of a single sync behind a place, and the place behind them, which may be a later sync's.

    No changes at the place itself: nothing newer was published.

    Raises:
        BadInput: The place is none of this organization, or changes behind it are no longer kept.
    """
    mirror = await mirror_of(connection, organization_id)
    if place == Place.behind(0):  # before the first sync, which has no changes
        first = await syncs_after(connection, mirror, 0, 1) if mirror is not None else []
        return [], Place.behind(first[0].key) if first else place
    known = await published_sync(connection, mirror, place.sync) if mirror is not None else None
    if mirror is None or known is None or place.sync > mirror.sync:
        raise not_a_place()
    if place < Place.behind(mirror.oldest_kept):
        raise await no_longer_kept(connection, mirror)
    above, sync = place.patient_id, known
    if place == Place.behind(place.sync):
        following = await _next_with_changes(connection, mirror, place.sync)
        if following is None:
            return [], Place.behind(mirror.sync)
        above, sync = 0, following
    comparison = await comparison_with_base(connection, mirror, sync)
    if comparison is None:
        return [], Place.behind(sync.key)
    changes, behind = await page_of(connection, comparison, above, size)
    return changes, behind or Place.behind(sync.key)


async def no_longer_kept(connection: AsyncConnection, mirror: MirrorRow) -> BadInput:
    """The error for changes that are deleted, with the oldest sync that still has them."""
    kept = await syncs_after(connection, mirror, mirror.oldest_kept, 1)
    oldest = f"The oldest sync with changes is {kept[0].sync_id}." if kept else "The next sync has changes again."
    return BadInput(
        f"These changes are no longer kept. {oldest} Read the list of patients again, and go on from there."
    )


def not_a_place() -> BadInput:
    """The error for a cursor of another organization, or of a sync that never was."""
    return BadInput("“after” is not a cursor of this organization's changes. Use the cursor of an earlier change.")


async def _next_with_changes(connection: AsyncConnection, mirror: MirrorRow, key: int) -> PublishedSync | None:
    """The next sync after the one with this number that may have changes."""
    while following := await syncs_after(connection, mirror, key, SYNCS_AT_ONCE):
        for sync in following:
            if not _is_quiet(sync):
                return sync
        key = following[-1].key
    return None


def _is_quiet(sync: PublishedSync) -> bool:
    """Whether the stored counts say that the sync changed no patient."""
    counts = read_changes(sync.changes)
    return counts is not None and not counts.patients


def _change(comparison: Comparison, difference: Difference, reasons: Reasons) -> PatientChange:
    joined = tuple(one for one in PatientList if one.value in difference.joined)
    left = tuple(one for one in PatientList if one.value in difference.left)
    fields = tuple(one for one in ChangedField if one.value in difference.changed)
    kinds = _kinds(difference, joined, left)
    content = difference.after or difference.before or {}
    place = Place(comparison.after.key, difference.id)
    since = comparison.before if comparison.is_difference else None
    return PatientChange(
        id=ChangeKey(comparison.after.sync_id, difference.id, since.sync_id if since is not None else None).text,
        place=place,
        cursor=change_cursor(place, since.key if since is not None else None),
        sync_id=comparison.after.sync_id,
        key=PatientKey(comparison.mirror.organization_id, difference.id),
        name=_name(difference.id, content),
        kinds=kinds,
        fields=fields,
        joined=joined,
        left=left,
        sentence=sentence_of(
            kinds,
            fields,
            joined,
            left,
            is_archived=content.get("archived_at") is not None,
            is_merged=content.get("merged_with_id") is not None,
            why=reasons.why,
            by_settings=reasons.by_settings,
        ),
    )


def _kinds(
    difference: Difference, joined: tuple[PatientList, ...], left: tuple[PatientList, ...]
) -> tuple[ChangeKind, ...]:
    named = {PatientList.ALL, PatientList.ACTIVE}
    holds = {
        ChangeKind.ADDED: difference.before is None and difference.after is not None,
        ChangeKind.CHANGED: bool(difference.changed),
        ChangeKind.VANISHED: difference.before is not None and difference.after is None,
        ChangeKind.BECAME_ACTIVE: PatientList.ACTIVE in joined,
        ChangeKind.BECAME_INACTIVE: PatientList.ACTIVE in left,
    }
    holds[ChangeKind.LISTS_CHANGED] = bool({*joined, *left} - named) or not any(holds.values())
    return tuple(kind for kind in ChangeKind if holds[kind])


def _name(patient_id: int, content: Mapping[str, object]) -> str:
    names = [name for name in (content.get("first_name"), content.get("last_name")) if name]
    return " ".join(map(str, names)) or str(content.get("preferred_first_name") or f"Patient {patient_id}")
