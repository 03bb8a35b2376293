"""The stored attempts of a delivery."""

from datetime import UTC, datetime, timedelta

from routiq_gql.database.webhook_attempts import MOST_ATTEMPTS, PastAttempt, stored_attempts, with_attempt

BEGIN = datetime(2024, 12, 22, 14, 30, 22, 123_000, tzinfo=UTC)


def test_the_newest_attempts_are_kept_in_their_order():
    """A receiver that fails again and again leaves its newest attempts, however long it fails."""
    attempts = [
        PastAttempt(BEGIN + timedelta(hours=number), 500 + number, "It failed.", 0.5)
        for number in range(MOST_ATTEMPTS + 5)
    ]
    log = None
    for one in attempts:
        log = with_attempt(log, one)
    assert stored_attempts(log) == tuple(attempts[5:])


def test_attempts_that_this_version_has_stored_stay_readable():
    """After an upgrade the attempts of earlier deliveries are still shown, and those of older versions are none."""
    stored = {
        "format": 1,
        "attempts": [
            {"at": "2024-12-22T14:30:22.123000+00:00", "status": None, "error": "No answer.", "seconds": 10.002},
            {"at": "2024-12-22T14:30:22.123000+00:00", "status": 204, "error": None, "seconds": 0.0},
        ],
    }
    attempts = (PastAttempt(BEGIN, None, "No answer.", 10.002), PastAttempt(BEGIN, 204, None, 0.0))
    assert stored_attempts(stored) == attempts
    assert with_attempt({"format": 1, "attempts": stored["attempts"][:1]}, attempts[1]) == stored
    assert stored_attempts(None) == ()
