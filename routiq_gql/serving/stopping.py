"""Tells open responses that their server stops, so that they can end."""

from collections.abc import Callable

STOP_EXTENSION = "routiq.on_stop"
"""Key in ``scope["extensions"]`` of a function that takes a call for when the server stops. Uvicorn waits for open
responses to end, but does not tell them."""


class StopNotice:
    """A mixin for uvicorn's HTTP protocols."""

    _on_stop: Callable[[], None] | None = None
    _is_stopping = False

    def on_stop(self, call: Callable[[], None] | None) -> None:
        """Call ``call`` when the server stops, or at once if it is stopping already; ``None`` for nothing.

        A connection has one response at a time.
        """
        self._on_stop = call
        if self._is_stopping and call is not None:
            call()

    def shutdown(self) -> None:
        super().shutdown()  # type: ignore[misc]
        self._is_stopping = True
        if self._on_stop is not None:
            self._on_stop()
