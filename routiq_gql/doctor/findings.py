"""What a check found: a result, a sentence, and what to change."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How a check went."""

    OK = "ok"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        check: What was looked at, in one or two words.
        found: A sentence about what came.
        what_to_do: What to change; empty unless there is a problem, or something that would allow the check.
    """

    check: str
    result: Result
    found: str
    what_to_do: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Result.OK, found)


def problem(check: str, found: str, what_to_do: str) -> Finding:
    """Something has to be changed."""
    return Finding(check, Result.PROBLEM, found, what_to_do)


def not_checked(check: str, found: str, what_to_do: str = "") -> Finding:
    """Nothing is known."""
    return Finding(check, Result.NOT_CHECKED, found, what_to_do)
