"""The settings of the database, of Cliniko and of syncs.

``settings`` adds those of the API and of logs; the rest of the code uses ``Settings`` only.
"""

from math import ceil

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from routiq_gql.setting_checks import ClinikoUrl, DatabaseUrl, EmailAddress

PREFIX = "ROUTIQ_"
USUAL_REFRESH_SECONDS = 15
LOOK_REQUESTS = 4
SHARE = 10
"""Looks, and the syncs that follow from them, take at most a tenth of the requests of a key."""
UNWATCHED_TIMES = 4
"""How many times as long the interval of looks is while no client reads the organization, up to"""
LONGEST_UNWATCHED_SECONDS = 300
"""these seconds."""


class SyncSettings(BaseSettings):
    """The settings of a process that runs syncs. Units of times are in the names or descriptions."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    database_url: DatabaseUrl = Field(
        "sqlite+aiosqlite:///./routiq.db",
        repr=False,
        description="The database, as an SQLAlchemy URL. A relative path starts in the current folder. "
        "PostgreSQL is `postgresql+psycopg://user:password@host/database`.",
    )
    encryption_keys: str = Field(
        "",
        repr=False,
        description="Keys that encrypt Cliniko API keys at rest: `id:base64` pairs of 32 bytes, separated by commas, "
        "the first one encrypts. Empty: a key file (mode 0600) is created beside the SQLite database. Required with "
        "PostgreSQL, the same for all processes.",
    )
    contact_email: EmailAddress = Field(
        "",
        description="An e-mail address at which Cliniko can reach you, sent in the User-Agent. Required for a real "
        "Cliniko account.",
    )
    cliniko_base_url: ClinikoUrl = Field(
        "",
        description="Base URL of Cliniko's API for all keys; for an emulator. Empty: derived from the ending of each "
        "key.",
    )
    cliniko_requests_per_minute: int = Field(
        180,
        ge=0,
        le=200,
        description="Requests a minute for each API key (Cliniko allows 200 per user). 0 turns pacing off, for "
        "loopback addresses only.",
    )
    cliniko_max_attempts: int = Field(6, ge=1, le=20, description="Attempts for each request before the sync fails.")
    cliniko_retry_seconds: float = Field(
        2,
        gt=0,
        le=60,
        description="Approximate first wait in seconds before a failed request is retried; each later wait doubles.",
    )
    cliniko_read_timeout_seconds: float = Field(
        40, gt=0, le=300, description="Timeout in seconds for one answer of Cliniko."
    )
    recent_days: int = Field(30, ge=1, le=366, description="An appointment this many days back makes a patient active.")
    upcoming_days: int = Field(
        30, ge=1, le=366, description="An appointment this many days ahead makes a patient active."
    )
    seen_within_weeks: int = Field(
        26,
        ge=1,
        le=520,
        description="Weeks after a visit for which a patient without a booking is in the list “No future appointment”.",
    )
    history_days: int = Field(
        730,
        ge=1,
        le=36_500,
        description="Appointments are stored from this many days ago on, without an end; at least "
        "`ROUTIQ_RECENT_DAYS`. A database that an earlier version made keeps to the recent and the upcoming days until "
        "this is set.",
    )
    full_sync_days: int = Field(
        7,
        ge=1,
        le=366,
        description="Days after which a sync reads everything again; syncs in between read only what has changed.",
    )
    refresh_seconds: int = Field(
        0,
        ge=0,
        le=900,
        description="Seconds between looks at Cliniko for changes, for every organization; a look that finds any "
        "starts a sync. 0: only for organizations of `routiq-gql schedule --live`, every 15 seconds or as "
        "`ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE` allows; see [Live data](#live-data).",
    )
    worker_max_syncs: int = Field(
        50, ge=1, le=1000, description="Syncs that one process runs at the same time, with PostgreSQL."
    )
    sync_time_limit: int = Field(
        6 * 3600,
        ge=1,
        description="Seconds from the start of a sync, pauses included, after which it fails with TIME_LIMIT.",
    )
    keep_log_days: int = Field(30, ge=1, le=36_500, description="Days for which the log of an ended sync is kept.")
    keep_history_days: int = Field(400, ge=1, le=36_500, description="Days for which an ended sync is kept.")
    webhook_deliveries_days: int = Field(
        30, ge=4, le=36_500, description="Days for which the events and deliveries of webhooks are kept."
    )
    shutdown_grace_seconds: float = Field(
        5, ge=0, le=300, description="Seconds that a stopping server waits for open streams and running syncs."
    )

    @property
    def uses_postgres(self) -> bool:
        """Whether syncs may run in several processes."""
        return self.database_url.startswith("postgresql")

    @property
    def least_refresh_seconds(self) -> int:
        """The shortest time between looks that keeps them within their share of the pace."""
        return _least_refresh_seconds(self.cliniko_requests_per_minute)

    @property
    def refresh_interval(self) -> int:
        """Seconds between looks at an organization that is kept live."""
        return self.refresh_seconds or max(USUAL_REFRESH_SECONDS, self.least_refresh_seconds)

    @property
    def unwatched_refresh_interval(self) -> int:
        """The same while no client reads the organization."""
        return max(self.refresh_interval, min(UNWATCHED_TIMES * self.refresh_interval, LONGEST_UNWATCHED_SECONDS))

    @property
    def refresh_share(self) -> int:
        """Requests a minute that looks and their syncs may send; 0 for any number, while keys are not paced."""
        pace = self.cliniko_requests_per_minute
        return max(LOOK_REQUESTS, pace // SHARE) if pace else 0

    @field_validator("refresh_seconds")
    @classmethod
    def _check_refresh(cls, value: int, info: ValidationInfo) -> int:
        pace = info.data.get("cliniko_requests_per_minute", 0)
        least = _least_refresh_seconds(pace)
        if 0 < value < least:
            raise ValueError(
                f"must be 0, or from {least} to 900: looks take four requests and at most a tenth of "
                f"ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE, which is {pace}"
            )
        return value

    @field_validator("history_days")
    @classmethod
    def _check_history(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("recent_days", 1)
        if value < least:
            raise ValueError(f"must be at least ROUTIQ_RECENT_DAYS, which is {least}")
        return value


def _least_refresh_seconds(pace: int) -> int:
    return ceil(60 * LOOK_REQUESTS / max(pace // SHARE, LOOK_REQUESTS)) if pace else 1
