"""Puts a change of a patient into words for people: what happened, and why where the lists' rules know it.

Values are never in these sentences: they say that a phone number changed, and not to which number.
"""

from collections.abc import Mapping, Sequence

from routiq_gql.patients.change_model import ChangedField, ChangeKind
from routiq_gql.patients.lists import LISTS, PatientList

SETTINGS = "because the settings changed"
_NAMES = (ChangedField.FIRST_NAME, ChangedField.LAST_NAME, ChangedField.PREFERRED_FIRST_NAME)
_WORDS = {
    ChangedField.EMAIL: "e-mail address",
    ChangedField.PHONE: "phone number",
    ChangedField.CREATED_AT: "date of creation",
}
_NOT_ACTIVE = "Not active: "
"""The beginning of a reason for not being active; see ``reasons``."""


def sentence_of(
    kinds: Sequence[ChangeKind],
    fields: Sequence[ChangedField],
    joined: Sequence[PatientList],
    left: Sequence[PatientList],
    *,
    is_archived: bool,
    is_merged: bool = False,
    why: Mapping[PatientList, str],
    by_settings: frozenset[PatientList] = frozenset(),
) -> str:
    """The sentences of a change, one for each thing that happened.

    Args:
        is_archived: Whether the patient is archived after the change.
        is_merged: Whether the patient is merged into another one after the change.
        why: Reasons for being in a list, or for not being in it.
        by_settings: The lists that the patient joined or left only because the settings differ.
    """
    parts = []
    if ChangeKind.ADDED in kinds:
        parts.append("New in Cliniko, and archived." if is_archived else "New in Cliniko.")
    if ChangeKind.VANISHED in kinds:
        parts.append("No longer in Cliniko.")
    parts += _changed(fields, is_archived)
    is_gone = is_archived or is_merged or ChangeKind.VANISHED in kinds
    for kind, text in ((ChangeKind.BECAME_ACTIVE, "active"), (ChangeKind.BECAME_INACTIVE, "inactive")):
        if kind in kinds:
            reason = None if is_gone else why.get(PatientList.ACTIVE)
            parts.append(_with_reason(f"Became {text}", reason, PatientList.ACTIVE in by_settings))
    has_become_active = PatientList.ACTIVE in joined
    parts += _lists("Joined", joined, {} if has_become_active else why, by_settings)
    if not is_gone:
        parts += _lists("Left", left, {}, by_settings)
    if not parts:
        parts.append("Listed by Cliniko again." if joined else "No longer listed by Cliniko.")
    return " ".join(parts)


def _changed(fields: Sequence[ChangedField], is_archived: bool) -> list[str]:
    words = ["name"] if any(one in fields for one in _NAMES) else []
    words += [word for one, word in _WORDS.items() if one in fields]
    parts = [f"{_joined(words).capitalize()} changed."] if words else []
    if ChangedField.ARCHIVED in fields:
        parts.append("Archived." if is_archived else "No longer archived.")
    if ChangedField.MERGED in fields:
        parts.append("Merged with another patient.")
    return parts


def _lists(
    verb: str, lists: Sequence[PatientList], why: Mapping[PatientList, str], by_settings: frozenset[PatientList]
) -> list[str]:
    """The sentences about other lists than that of active patients; a single list has its reason."""
    others = [one for one in lists if one not in {PatientList.ALL, PatientList.ACTIVE}]
    parts = []
    for is_by_settings in (False, True):
        named = [one for one in others if (one in by_settings) is is_by_settings]
        if named:
            reason = why.get(named[0]) if len(named) == 1 else None
            text = f"{verb} {_joined([f'“{LISTS[one].title}”' for one in named])}"
            parts.append(_with_reason(text, reason, is_by_settings))
    return parts


def _with_reason(text: str, reason: str | None, by_settings: bool) -> str:
    if by_settings:
        text = f"{text} {SETTINGS}"
    return f"{text}: {reason.removeprefix(_NOT_ACTIVE)}" if reason else f"{text}."


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
