"""The settings of the database, of Cliniko and of syncs.

``settings`` adds those of the API and of logs; the rest of the code uses ``Settings`` only.
"""

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from routiq_gql.setting_checks import ClinikoUrl, DatabaseUrl, EmailAddress

PREFIX = "ROUTIQ_"


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
    shutdown_grace_seconds: float = Field(
        5, ge=0, le=300, description="Seconds that a stopping server waits for open streams and running syncs."
    )

    @property
    def uses_postgres(self) -> bool:
        """Whether syncs may run in several processes."""
        return self.database_url.startswith("postgresql")

    @field_validator("history_days")
    @classmethod
    def _check_history(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("recent_days", 1)
        if value < least:
            raise ValueError(f"must be at least ROUTIQ_RECENT_DAYS, which is {least}")
        return value
