"""Bugs of shared subscriptions, feeds, stored keys and PostgreSQL's engine that no test found.

See "Bugs without a prepared test" in ``docs/proof.md``.
"""

from tests.mutants.mutant import Mutant

OF_SHARED_SURVIVORS = (
    Mutant(
        "one-form-for-all-streams",
        "A multipart client gets the pieces of an event stream, if one reads the same subscription",
        "api/graphql/shared/stream.py",
        "newest.form(type(self._transport), self._piece)",
        "newest.form(StreamSubscription, self._piece)",
        ("tests/api/graphql/shared/test_forms.py::test_every_client_gets_the_form_of_its_transport",),
    ),
    Mutant(
        "session-of-the-first",
        "A shared subscription is executed with the session of its first subscriber, whatever becomes of that",
        "api/graphql/shared/operations.py",
        "            context = replace(context, session=Session(Credentials(viewer)))\n",
        "",
        ("tests/api/graphql/shared/test_sessions_of_others.py::test_the_viewer_of_an_operation_stays_as_it_began",),
    ),
    Mutant(
        "shown-hides-news",
        "A sync's followers stay behind while a dashboard shows a newer state of it",
        "live/sync_feeds.py",
        "known = {one.key: one.version for one in also} | {key: feed.value.version for key, feed in feeds.items()}",
        "known = {key: feed.value.version for key, feed in feeds.items()} | {one.key: one.version for one in also}",
        ("tests/organizations/test_rereading.py::test_every_feed_is_up_to_date_after_a_reread",),
    ),
    Mutant(
        "rotation-of-disconnected",
        "Keys can't be rotated while an organization is disconnected",
        "connections/service.py",
        "if row.encrypted_key and row.encryption_key_id != ring.first_id:",
        "if row.encryption_key_id != ring.first_id:",
        ("tests/security/test_changes_of_keys.py::test_every_order_of_changes_of_keys_leaves_all_secrets_readable",),
    ),
    Mutant(
        "older-news-win",
        "After a notification has failed, older versions of syncs replace newer ones in the next",
        "engines/postgres/bus.py",
        "self._updates = {**updates, **self._updates}",
        "self._updates = {**self._updates, **updates}",
        ("tests/engines/postgres/test_any_notifications.py::test_the_newest_state_and_every_stop_arrive",),
    ),
    Mutant(
        "late-hold-is-lost",
        "On PostgreSQL a rate limit that is reported while another request takes its turn is forgotten",
        "engines/postgres/pacing.py",
        "        if self._unwritten_hold == held:\n            self._unwritten_hold = 0.0\n",
        "        self._unwritten_hold = 0.0\n",
        ("tests/engines/postgres/test_any_holds.py::test_every_hold_is_written",),
    ),
)
