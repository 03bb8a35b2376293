"""Events that occur by the thousand are logged once a minute."""

from structlog.testing import capture_logs

from routiq_gql.rate_limited_log import INTERVAL_SECONDS, RateLimitedLog


def test_thousands_of_events_are_a_line_a_minute():
    """The first event is logged at once; the next line, a minute later, has the number of events since."""
    now = 100.0
    limited = RateLimitedLog("flood", clock=lambda: now)
    with capture_logs() as logs:
        for _ in range(1000):
            limited.warn(reason="Too many.")
        now += INTERVAL_SECONDS
        limited.warn(reason="Too many.")
    assert [(line["event"], line["log_level"], line["count"]) for line in logs] == [
        ("flood", "warning", 1),
        ("flood", "warning", 1000),
    ]
