"""The finding of a check: a result, a sentence, and the change to make."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of a single check.

    Attributes:
        check: The checked thing, in one or two words.
        found: A sentence about the observation.
        what_to_do: The change to make, or how to enable the check; empty if there is neither.
    """

    check: str
    result: Result
    found: str
    what_to_do: str = ""


def ok(check: str, found: str) -> Finding:
    """The check found no problem."""
    return Finding(check, Result.OK, found)


def problem(check: str, found: str, what_to_do: str) -> Finding:
    """The operator must change the setup."""
    return Finding(check, Result.PROBLEM, found, what_to_do)


def not_checked(check: str, found: str, what_to_do: str = "") -> Finding:
    """The check could not run."""
    return Finding(check, Result.NOT_CHECKED, found, what_to_do)
