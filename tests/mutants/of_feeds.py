"""Bugs in the feeds, by which followers of a sync or a dashboard get late, wrong or foreign values."""

from tests.mutants.mutant import Mutant

_SYNC_FEEDS = "tests/live/test_sync_feeds.py::"
_DASHBOARD_FEEDS = "tests/organizations/test_dashboard_feeds.py::"

OF_FEEDS = (
    Mutant(
        "token-after-the-read",
        "The change token of a value is taken after the value was read",
        "live/sync_feeds.py",
        "        self._token = token\n\n    def take",
        "        self._token = self._database.change_token()\n\n    def take",
    ),
    Mutant(
        "commit-after-attachment-missed",
        "A follower attaches with the value of the feed, although something was committed since",
        "live/sync_feeds.py",
        "token is None or token != self._token):",
        "token is None or self._token is None):",
    ),
    Mutant(
        "older-progress-comes-back",
        "A dashboard that was read slowly replaces the progress that was published meanwhile",
        "organizations/dashboard_feeds.py",
        "read is not None and known is not None and _is_newer(known, read):",
        "read is not None and known is not None and _is_newer(read, known):",
    ),
    Mutant(
        "change-during-a-read-forgotten",
        "A sync that ends while the dashboard is read does not lead to another read",
        "organizations/dashboard_feeds.py",
        "        self._needed = self._feeds.dashboards.begun + 1\n",
        "        self._needed = self._feeds.dashboards.begun\n",
        (_DASHBOARD_FEEDS + "test_a_slow_read_does_not_bring_older_progress_back",),
    ),
    Mutant(
        "fingerprint-without-the-connection",
        "A dashboard does not follow a connection that another process has changed",
        "database/watched.py",
        '    CONNECTION: {"encrypted_key", "encryption_key_id"},\n',
        "",
        (_DASHBOARD_FEEDS + "test_changes_by_another_process_are_found",),
    ),
    Mutant(
        "feed-of-any-organization",
        "A sync that one clinic follows is shown to every other clinic",
        "sync/watching.py",
        "feed is not None and viewer.sees_sync(feed.value.organization_id, sync_id):",
        "feed is not None:",
        (_SYNC_FEEDS + "test_a_feed_is_shown_only_to_those_who_may_see_the_sync",),
    ),
    Mutant(
        "erased-sync-stays",
        "Followers of an erased sync are not told its end",
        "live/sync_feeds.py",
        "            if key not in found or found[key][0] != feed.topic.sync_id:\n                feed.note_erased()\n",
        "            pass\n",
        (_SYNC_FEEDS + "test_an_erased_sync_ends_for_its_followers",),
    ),
    Mutant(
        "follower-stops-the-others",
        "A follower that fails keeps the others from the value",
        "live/feeds.py",
        "            try:\n                self._follower.on_value(value)\n"
        "            except Exception as error:\n                _log_failure(error)\n",
        "            self._follower.on_value(value)\n",
        (_SYNC_FEEDS + "test_a_follower_that_fails_stops_no_other",),
    ),
    Mutant(
        "log-lines-lost-in-memory",
        "A slow follower of a log misses the lines that have left memory",
        "live/log_feed.py",
        "        if after < self._start:\n            return await self._read(after, min(LOG_BATCH, newest - after))\n",
        "",
        ("tests/live/test_log_feeds.py::test_nothing_is_lost_or_repeated_at_any_pace",),
    ),
)
