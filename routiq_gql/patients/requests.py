"""A request for a page of a list, checked before anything is read."""

import re
from dataclasses import dataclass

from routiq_gql.errors import BadInput
from routiq_gql.paging import PageArguments
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort

LARGEST_SIZE = 200
LARGEST_SKIP = 100_000_000
"""More than any list has; it keeps a sum with the size within the numbers of a database."""
LONGEST_SEARCH = 100
"""Characters; names, addresses and numbers are shorter."""
_LARGEST_ID = 2**63 - 1
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates: PostgreSQL can't compare texts that have them."""


@dataclass(frozen=True, slots=True)
class PageRequest(PageArguments):
    """A page of a list: the first or the last patients between two cursors.

    Attributes:
        search: Only patients for whom each word of it is a part of a name, the e-mail address or a phone number.
        practitioner_id: Only patients whose last or next appointment is with this practitioner.
        skip: How many patients at the start of the list the page passes over; not together with cursors.
        as_of: The id of a kept sync; ``None`` for the newest, or for that of the cursor.
    """

    list: PatientList = PatientList.ACTIVE
    search: str | None = None
    practitioner_id: str | None = None
    sort: PatientSort = PatientSort.NAME
    skip: int | None = None
    as_of: str | None = None

    @property
    def practitioner(self) -> int | None:
        """The number of the practitioner; 0, which is nobody's, for an id that can't be one."""
        if self.practitioner_id is None:
            return None
        digits = self.practitioner_id
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19):
            return 0
        return int(digits) if int(digits) <= _LARGEST_ID else 0

    def check(self) -> None:
        """Raise unless all parts are in range.

        Raises:
            BadInput: One is not.
        """
        self.check_size(LARGEST_SIZE)
        if self.skip is not None and (self.after, self.last, self.before) != (None, None, None):
            raise BadInput("Use “skip” with “first” alone, not with “after”, “last” or “before”.")
        if self.skip is not None and not 0 <= self.skip <= LARGEST_SKIP:
            raise BadInput(f"“skip” must be from 0 to {LARGEST_SKIP:,}.")
        if self.search is not None and (len(self.search) > LONGEST_SEARCH or _CONTROL.search(self.search)):
            raise BadInput(
                f"“search” must be a text of at most {LONGEST_SEARCH} characters, without control characters."
            )
