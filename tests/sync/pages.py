"""The pages of lists that a sync reads, without the comparison with Cliniko behind them."""

from collections.abc import Iterable
from itertools import takewhile

from routiq_gql.emulator import RecordedRequest

LAST_LIST = "practitioners"


def reads_last_list(request: RecordedRequest) -> bool:
    """Whether a request reads the short list behind which the comparison begins; the check of a key asks for a row."""
    return request.resource == LAST_LIST and request.values("per_page") != ["1"]


def pages_of_lists(requests: Iterable[RecordedRequest]) -> list[RecordedRequest]:
    """The requests for pages of lists before the last list."""
    before = takewhile(lambda request: not reads_last_list(request), requests)
    return [one for one in before if one.resource not in {"settings", "user"} and one.values("per_page") != ["1"]]
