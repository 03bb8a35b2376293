"""An encoded result, and the forms in which transports send it."""

from collections.abc import Callable, Hashable

MAX_KEPT_FORMS = 8
"""Forms kept of a payload: one of each transport, and frames by the id of the operation. Some clients number their
operations from 1, others draw ids at random."""


class Payload:
    """The result of a value, encoded once.

    Attributes:
        json: The JSON of the result in UTF-8, such as ``{"data":{…}}``.
    """

    __slots__ = ("_forms", "json")

    def __init__(self, json: bytes) -> None:
        self.json = json
        self._forms: dict[Hashable, bytes] = {}

    def form(self, key: Hashable, make: Callable[[bytes], bytes]) -> bytes:
        """``make(json)``, made once for many subscribers with the same key.

        Args:
            key: A text for frames, which is any text that a client chooses, and no text for anything else.
        """
        form = self._forms.get(key)
        if form is None:
            form = make(self.json)
            if len(self._forms) < MAX_KEPT_FORMS:
                self._forms[key] = form
        return form
