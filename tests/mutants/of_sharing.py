"""Bugs in operations that several clients share. The named tests must find them."""

from tests.mutants.mutant import Mutant

_RANDOM = ("tests/api/graphql/shared/test_random_subscribers.py::test_each_subscriber_gets_newer_states_and_the_last",)
_READERS = ("tests/api/graphql/shared/test_random_log_readers.py::test_each_reader_gets_every_line_once",)
_SHARING = "tests/api/graphql/shared/test_sharing.py"

OF_SHARING = (
    Mutant(
        "shared-across-rights",
        "A result that was executed for one viewer is sent to a viewer with other rights or of another organization",
        "security/viewer.py",
        "        return self.organization_id, self.sync_id, self.rights, self.has_lapsed\n",
        "        return None\n",
        (f"{_SHARING}::test_rights_and_organizations_are_kept_apart",),
    ),
    Mutant(
        "joins-with-an-old-state",
        "A further subscriber gets the state that the others have got, although a newer state was committed",
        "api/graphql/shared/states.py",
        "                await following.fresh()\n",
        "                following.value\n",
        _RANDOM,
    ),
    Mutant(
        "state-of-a-slow-execution",
        "A slow execution shows an older state to a subscriber that came after it had begun",
        "api/graphql/shared/states.py",
        "            self._waiting[subscriber] = self._newest_number\n",
        "            self._waiting[subscriber] = 0\n",
        _RANDOM,
    ),
    Mutant(
        "end-before-the-last-state",
        "A client that reads slowly gets the end of a subscription without the last state",
        "api/graphql/shared/states.py",
        "            self._late[subscriber] = shown\n            return\n",
        "            self._late[subscriber] = shown\n",
        _RANDOM,
    ),
    Mutant(
        "slow-client-left-behind",
        "A client that reads again gets nothing until the next change",
        "api/graphql/shared/operation.py",
        "        if subscriber in self._served:\n            self._serve(subscriber)\n",
        "        if subscriber not in self._served:\n            self._serve(subscriber)\n",
        _RANDOM,
    ),
    Mutant(
        "place-of-a-subscription-kept",
        "A subscription that has ended still counts for the limit of its organization",
        "api/graphql/shared/operation.py",
        "        if self._organization_id is not None and subscriber in self._subscribers:\n"
        "            self._context.syncs.subscriptions.remove",
        "        if self._organization_id is not None and subscriber in self._served and not self._is_over:\n"
        "            self._context.syncs.subscriptions.remove",
        _RANDOM,
    ),
    Mutant(
        "shared-operation-never-closed",
        "The feed of a subscription stays open after its last subscriber has left",
        "api/graphql/shared/operation.py",
        "                self._following(self._opened.source).close()\n",
        "                self._following(self._opened.source)\n",
        _RANDOM,
    ),
    Mutant(
        "only-the-first-are-served",
        "Of many subscribers only the first get a change at once",
        "api/graphql/shared/delivery.py",
        "            self._rest = asyncio.get_running_loop().call_soon(self._continue)\n",
        "            self._rest = None\n",
        _RANDOM,
    ),
    Mutant(
        "log-line-left-out",
        "A reader of a log that was behind misses a line",
        "api/graphql/shared/logs.py",
        "            if not subscriber.show(self._lines[number - self._dropped]):\n                return\n"
        "            self._served[subscriber] = number + 1\n",
        "            self._served[subscriber] = number + 1\n"
        "            if not subscriber.show(self._lines[number - self._dropped]):\n                return\n",
        _READERS,
    ),
    Mutant(
        "late-reader-misses-the-first-lines",
        "A late reader of a long log gets its last lines only",
        "api/graphql/shared/logs.py",
        "        if self._dropped:\n            self.leave(subscriber)\n            subscriber.execute_alone()\n",
        "        if self._dropped:\n            self._served[subscriber] = self._dropped\n"
        "            self._serve(subscriber)\n",
        _READERS,
    ),
    Mutant(
        "log-kept-whole",
        "The server keeps every line of a log as long as it is watched",
        "api/graphql/shared/logs.py",
        "        if len(self._lines) > KEPT_LINES:\n",
        "        if len(self._lines) > KEPT_LINES * 1000:\n",
        _READERS,
    ),
    Mutant(
        "error-shown-to-the-next",
        "The error of one execution is shown to subscribers that come later",
        "api/graphql/shared/states.py",
        "is_kept=not result.errors)",
        "is_kept=True)",
        (f"{_SHARING}::test_an_error_is_not_kept",),
    ),
    Mutant(
        "stalled-client-kept",
        "A client that stops reading in the middle of a subscription keeps its connection for ever",
        "api/graphql/shared/socket.py",
        "call_later(self._peer.send_timeout, self._peer.give_up)",
        "call_later(self._peer.send_timeout * 1000, self._peer.give_up)",
        ("tests/serving/test_stalled_clients.py::test_a_subscriber_that_stops_reading_is_disconnected",),
    ),
)
