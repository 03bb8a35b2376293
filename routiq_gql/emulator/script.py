"""Changes of a clinic that happen right before or right after a certain request is answered.

``Emulator.script`` holds them. A test adds a change before it starts a sync, and so decides between which two requests
the clinic changes. Each change happens once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from routiq_gql.emulator.recording import RecordedRequest

Change = Callable[[], object]


@dataclass(slots=True, eq=False)
class _Scripted:
    change: Change
    number: int
    resource: str | None
    is_before: bool
    seen: int = 0


@dataclass(slots=True)
class Script:
    """Changes that wait for their request. Those of one request happen in the order in which they were added."""

    _waiting: list[_Scripted] = field(default_factory=list)

    def before(self, number: int, change: Change, *, resource: str | None = None) -> None:
        """Call ``change`` right before the response to a request is computed, which shows it.

        Args:
            number: The request, counted from 1 from now on.
            change: What to do, such as ``lambda: clinic.archive("patients", "9")``.
            resource: Counts only requests for this list (or ``settings``, ``user``); ``None`` counts all.
        """
        self._waiting.append(_Scripted(change, number, resource, is_before=True))

    def after(self, number: int, change: Change, *, resource: str | None = None) -> None:
        """Call ``change`` once the response to a request is computed, which does not show it; else as ``before``."""
        self._waiting.append(_Scripted(change, number, resource, is_before=False))

    def clear(self) -> None:
        """Forget the changes that have not happened."""
        self._waiting.clear()

    @property
    def waiting(self) -> int:
        """The number of changes that have not happened."""
        return len(self._waiting)

    def run_before(self, request: RecordedRequest) -> None:
        """Count ``request``, and make the changes that belong before its response."""
        for one in self._waiting:
            one.seen += one.resource is None or one.resource == request.resource
        self._run(request, is_before=True)

    def run_after(self, request: RecordedRequest) -> None:
        """Make the changes that belong after the response to ``request``, which ``run_before`` has counted."""
        self._run(request, is_before=False)

    def _run(self, request: RecordedRequest, *, is_before: bool) -> None:
        due = [
            one
            for one in self._waiting
            if one.is_before is is_before and one.seen >= one.number and one.resource in {None, request.resource}
        ]
        self._waiting = [one for one in self._waiting if one not in due]
        for one in due:
            one.change()
