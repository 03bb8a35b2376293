"""The settings of the server, read from the environment (prefix ``ROUTIQ_``).

A field's description is the text of the settings table in ``docs/operating.md``, which a test compares with this class.
A wrong value ends the start with one sentence; see ``load_settings``.
"""

from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from routiq_gql.errors import SettingsError
from routiq_gql.setting_checks import (
    ClinikoUrl,
    DatabaseUrl,
    EmailAddress,
    HostList,
    IssuerUrl,
    NameList,
    NetworkList,
    check_spelling,
    sentence_about,
)

PREFIX = "ROUTIQ_"


class Settings(BaseSettings):
    """The settings. Units of times are in the names or descriptions."""

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
    heartbeat_seconds: float = Field(
        15,
        gt=0,
        le=60,
        description="Seconds between `heartbeat` events on a silent event stream, so that proxies keep it open and "
        "clients notice a lost connection.",
    )
    reread_seconds: float = Field(
        5,
        gt=0,
        le=60,
        description="Seconds after which watched syncs and dashboards are compared with the database, even without a "
        "notification.",
    )
    send_timeout: float = Field(
        30,
        gt=0,
        le=300,
        description="Seconds after which a client that has stopped reading its subscription or stream is disconnected.",
    )
    max_subscriptions: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Open subscriptions and streams for each organization; beyond them, new ones are refused.",
    )
    max_sockets: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Open websockets for each organization, at least `ROUTIQ_MAX_SUBSCRIPTIONS`; beyond them, new ones "
        "are closed. 0: the same number.",
    )
    request_timeout: float = Field(
        15, gt=0, le=300, description="Seconds within which a request must arrive completely, from its first byte."
    )
    max_connections: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Open connections to this process. 0: as many as the limit of open files (`ulimit -n`) allows with "
        "a reserve, and at most 10,000.",
    )
    max_operations: int = Field(
        32,
        ge=1,
        le=10_000,
        description="Queries, mutations and REST requests of one organization that run at the same time; further "
        "ones wait for up to a second, then are refused.",
    )
    max_operation_cost: int = Field(
        1600,
        ge=1,
        le=1_000_000,
        description="Maximum cost of one GraphQL operation: the sum, over its fields with a `limit`, of that limit "
        "times the limits of its parent fields.",
    )
    operation_timeout: float = Field(
        10,
        gt=0,
        le=300,
        description="Seconds after which a query, a REST request that only reads, or an event of a subscription is "
        "stopped. Mutations run to their end.",
    )
    graphiql: bool = Field(True, description="Show GraphiQL to browsers that open `/graphql`.")
    introspection: bool = Field(
        True,
        description="Allow introspection, and suggest names in errors. GraphiQL and code generators that read the "
        "schema from a server need it.",
    )
    auth: Literal["off", "token", "jwt"] = Field(
        "off",
        description="Authentication. `off`: every user of this machine has access; the server then listens on "
        "loopback only. `token`: static tokens from `ROUTIQ_TOKENS_FILE`. `jwt`: tokens signed by "
        "`ROUTIQ_JWT_ISSUER`, such as Clerk.",
    )
    tokens_file: str = Field(
        "",
        description="With `token`: the file of `routiq-gql tokens`. It holds hashes of tokens, never the tokens.",
    )
    jwt_issuer: IssuerUrl = Field(
        "", description="With `jwt`: the issuer, exactly as in the tokens' `iss`; an https URL."
    )
    jwt_jwks_url: IssuerUrl = Field(
        "", description="URL of the issuer's public keys (JWKS). Empty: `/.well-known/jwks.json` under the issuer."
    )
    jwt_audience: str = Field("", description="The required `aud` of tokens. Empty: not checked.")
    jwt_authorized_parties: NameList = Field(
        (),
        description="Accepted values of `azp`, the origins of the pages that request tokens, such as "
        "`https://app.example.com`. Empty: not checked.",
    )
    max_token_lifetime: int = Field(
        24 * 3600,
        ge=60,
        le=10 * 366 * 86_400,
        description="With `jwt`: maximum lifetime of a token in seconds; a longer one is refused.",
    )
    auth_grace_seconds: float = Field(
        600,
        ge=0,
        le=86_400,
        description="Seconds that an open subscription or stream stays open after its token expires, so that the "
        "client can renew it. Meanwhile it may only read.",
    )
    start_roles: NameList = Field(
        ("*",), description="Roles and permissions that may start syncs, without the prefix `org:`; `*`: every member."
    )
    cancel_roles: NameList = Field(("*",), description="The same for cancelling syncs.")
    connect_roles: NameList = Field(("admin",), description="The same for connecting, testing and disconnecting.")
    patient_roles: NameList = Field(("*",), description="The same for reading and exporting patients, not figures.")
    starts_per_minute: int = Field(
        20, ge=1, le=1000, description="Syncs that may be started for one organization within a minute."
    )
    connects_per_minute: int = Field(
        10,
        ge=1,
        le=1000,
        description="API keys that may be checked with Cliniko within a minute, by connecting and testing: for one "
        "organization, and by one caller. For all together six times as many. Not for `routiq-gql "
        "connect`.",
    )
    trusted_proxies: NetworkList = Field(
        ("127.0.0.1", "::1"),
        description="Addresses of proxies, or networks such as `10.0.0.0/8`, whose forwarding headers (client "
        "address, https) are trusted.",
    )
    allowed_hosts: HostList = Field(
        (),
        description="Accepted host names of this server, without the port. With `ROUTIQ_AUTH=off` in addition to "
        "localhost; otherwise only these, so at least one is required.",
    )
    allowed_origins: NameList = Field(
        (),
        description="Origins of pages elsewhere that may use the API, such as `https://app.example.com`; "
        "one `*` within a host label is allowed.",
    )
    log_format: Literal["console", "json"] = Field("console", description="Format of log lines: `console` or `json`.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    traces: bool = Field(
        False,
        description="Send traces with OpenTelemetry, set up by its own variables `OTEL_…`; see [Traces](#traces). "
        "Needs the extra `otel`.",
    )

    @property
    def uses_postgres(self) -> bool:
        """Whether syncs may run in several processes."""
        return self.database_url.startswith("postgresql")

    @property
    def most_sockets(self) -> int:
        """Maximum of open websockets per organization."""
        return self.max_sockets or self.max_subscriptions

    @field_validator("history_days")
    @classmethod
    def _check_history(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("recent_days", 1)
        if value < least:
            raise ValueError(f"must be at least ROUTIQ_RECENT_DAYS, which is {least}")
        return value

    @field_validator("max_sockets")
    @classmethod
    def _check_sockets(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("max_subscriptions", 0)
        if 0 < value < least:
            raise ValueError(
                f"must be at least ROUTIQ_MAX_SUBSCRIPTIONS, which is {least}; 0 allows as many sockets as that"
            )
        return value


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with ``overrides`` taking precedence.

    Raises:
        SettingsError: A value is wrong; the sentence names the variable and the expected form, never the value. Or a
            variable's name is misspelt, so that it would have no effect.
    """
    check_spelling(PREFIX, Settings.model_fields)
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(sentence_about(error, PREFIX)) from None
