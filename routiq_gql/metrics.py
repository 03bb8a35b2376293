"""Prometheus metrics for operators, in a separate registry.

Code calls a function here for each countable event; they never wait or fail. ``GET /metrics`` shows the sums of
this process since its start. No label names an organization or a sync: each value would be another stored series, and
would disclose the clinic.
"""

from functools import lru_cache
from math import nan
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

Transport = Literal["websocket", "sse", "multipart", "download"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The content type of ``exposition``; every version of Prometheus reads it."""

STATUSES = ("completed", "failed", "cancelled")
CLINIKO_OUTCOMES = ("ok", "no_answer", "timed_out", "server_error", "rate_limited", "refused", "unusable")
"""Must equal those of the Cliniko client, which imports nothing from here; a test compares them."""
WEBHOOK_OUTCOMES = ("delivered", "failed", "gone")
TRANSPORTS: tuple[Transport, ...] = ("websocket", "sse", "multipart", "download")
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
"""Methods counted by name. Clients may invent others, and each would be another series."""

DURATION_BUCKETS_SECONDS = (1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600)
"""From a small emulated clinic to the default time limit of six hours."""

# They would add a useless second series to each counter.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()

SYNCS_ENDED = Counter("routiq_syncs_ended", "Syncs that ended, by their final status.", ["status"], registry=REGISTRY)
SYNC_DURATION = Histogram(
    "routiq_sync_duration_seconds",
    "Time from the start of a sync to its end, by its final status.",
    ["status"],
    buckets=DURATION_BUCKETS_SECONDS,
    registry=REGISTRY,
)
SYNCS_RUNNING = Gauge("routiq_syncs_running", "Syncs that this process runs now.", registry=REGISTRY)
CLINIKO_REQUESTS = Counter(
    "routiq_cliniko_requests", "Requests sent to Cliniko, by result.", ["outcome"], registry=REGISTRY
)
RATE_LIMIT_WAIT = Counter(
    "routiq_cliniko_rate_limit_wait_seconds",
    "Time that syncs waited for Cliniko's rate limit.",
    registry=REGISTRY,
)
SUBSCRIBERS = Gauge("routiq_subscribers", "Open subscriptions to syncs and organizations.", registry=REGISTRY)
FRAMES_SENT = Counter(
    "routiq_frames_sent",
    "Messages sent on long-lived connections, including heartbeats, by transport.",
    ["transport"],
    registry=REGISTRY,
)
PEERS_DROPPED = Counter(
    "routiq_peers_dropped",
    "Connections aborted because the peer had stopped reading, by transport.",
    ["transport"],
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("routiq_queue_depth", "Syncs that wait for a worker, over all processes.", registry=REGISTRY)
QUEUE_AGE = Gauge(
    "routiq_queue_age_seconds",
    "Age of the oldest sync that waits for a worker.",
    registry=REGISTRY,
)
WORKERS_ALIVE = Gauge("routiq_workers_alive", "Live processes that run syncs.", registry=REGISTRY)
RESCUES = Counter(
    "routiq_rescues", "Syncs that this process took from a silent worker or found without one.", registry=REGISTRY
)
FLUSH_LAG = Histogram(
    "routiq_flush_lag_seconds",
    "Time from a change of a sync to its notification of other processes, with PostgreSQL.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
WEBHOOK_ATTEMPTS = Counter(
    "routiq_webhook_attempts",
    "Attempts of this process to deliver webhooks, by result.",
    ["outcome"],
    registry=REGISTRY,
)
WEBHOOKS_WAITING = Gauge(
    "routiq_webhooks_waiting", "Deliveries of webhooks that wait, over all processes.", registry=REGISTRY
)
WEBHOOKS_AGE = Gauge(
    "routiq_webhooks_age_seconds", "Age of the oldest event that waits to be delivered.", registry=REGISTRY
)
HTTP_REQUESTS = Counter(
    "routiq_http_requests",
    "HTTP requests answered, by route (none: no route was reached), method and class of status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)

# Series that begin at zero, so that the first event already shows as an increase.
for _status in STATUSES:
    SYNCS_ENDED.labels(_status)
    SYNC_DURATION.labels(_status)
for _outcome in CLINIKO_OUTCOMES:
    CLINIKO_REQUESTS.labels(_outcome)
for _outcome in WEBHOOK_OUTCOMES:
    WEBHOOK_ATTEMPTS.labels(_outcome)
_FRAMES_BY_TRANSPORT = {transport: FRAMES_SENT.labels(transport) for transport in TRANSPORTS}
_DROPPED_BY_TRANSPORT = {transport: PEERS_DROPPED.labels(transport) for transport in TRANSPORTS}


def sync_ended(status: str, seconds: float) -> None:
    """Count an end of a sync as ``completed``, ``failed`` or ``cancelled``, with its duration. Call once per sync."""
    SYNCS_ENDED.labels(status).inc()
    SYNC_DURATION.labels(status).observe(seconds)


def cliniko_request(outcome: str) -> None:
    """Count a request to Cliniko by its outcome; the ``on_request`` of the client."""
    CLINIKO_REQUESTS.labels(outcome).inc()


def rate_limit_wait(seconds: float) -> None:
    """Add a wait of a sync for Cliniko's rate limit."""
    RATE_LIMIT_WAIT.inc(max(0.0, seconds))


def frame_sent(transport: Transport) -> None:
    """Count a message sent on an open connection."""
    _FRAMES_BY_TRANSPORT[transport].inc()


def peer_dropped(transport: Transport) -> None:
    """Count a connection that was reset because its peer did not read."""
    _DROPPED_BY_TRANSPORT[transport].inc()


def http_request(route: str | None, method: str, status: int) -> None:
    """Count a response. ``route`` is a template such as ``/status/{sync_id}``, never an address."""
    _http_requests(route or "none", method if method in METHODS else "other", status // 100).inc()


@lru_cache(maxsize=1_000)
def _http_requests(route: str, method: str, hundreds: int) -> Counter:
    return HTTP_REQUESTS.labels(route, method, f"{hundreds}xx")


def webhook_attempt(outcome: str) -> None:
    """Count an attempt to deliver a webhook by its outcome."""
    WEBHOOK_ATTEMPTS.labels(outcome).inc()


def rescued(syncs: int) -> None:
    """Count syncs that lost their process and will be run again."""
    RESCUES.inc(syncs)


def flushed(seconds: float) -> None:
    """Record a flush of updates to other processes, with the age of the oldest update."""
    FLUSH_LAG.observe(seconds)


def exposition(
    *,
    syncs_running: int,
    subscribers: int,
    waiting: float = nan,
    oldest_seconds: float = nan,
    workers: float = nan,
    webhooks_waiting: float = nan,
    webhooks_seconds: float = nan,
) -> bytes:
    """All metrics as text, with the given current values; an unknown value is NaN."""
    SYNCS_RUNNING.set(syncs_running)
    SUBSCRIBERS.set(subscribers)
    QUEUE_DEPTH.set(waiting)
    QUEUE_AGE.set(oldest_seconds)
    WORKERS_ALIVE.set(workers)
    WEBHOOKS_WAITING.set(webhooks_waiting)
    WEBHOOKS_AGE.set(webhooks_seconds)
    return generate_latest(REGISTRY)
