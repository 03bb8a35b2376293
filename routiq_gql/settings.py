"""The settings of the server, read from the environment (prefix ``ROUTIQ_``).

A field's description is the text of the settings table in ``docs/operating.md``, which a test compares with this class.
A wrong value ends the start with one sentence; see ``load_settings``.
"""

from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from routiq_gql.errors import SettingsError
from routiq_gql.setting_checks import HostList, IssuerUrl, NameList, NetworkList, PathList, ReceiverList, check_spelling
from routiq_gql.sync_settings import PREFIX, SyncSettings

_EXPECTED = {
    "int_parsing": "A whole number is expected",
    "float_parsing": "A number is expected",
    "bool_parsing": "True or false is expected",
}
"""By error types whose pydantic messages use programmers' words."""


class Settings(SyncSettings):
    """The settings. Units of times are in the names or descriptions."""

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
    documents: PathList = Field(
        (),
        description="Manifests of trusted documents, paths separated by commas, as graphql-codegen, relay-compiler or "
        "Apollo write them. Clients may send the id of such a document instead of its text. Read at the start.",
    )
    documents_only: bool = Field(
        False,
        description="Execute trusted documents only: those of `ROUTIQ_DOCUMENTS` and of this project's own clients. "
        "Everything else is refused before it is parsed; GraphiQL and introspection are off.",
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
    webhook_roles: NameList = Field(("admin",), description="The same for reading and changing webhooks.")
    webhook_private: ReceiverList = Field(
        (),
        description="Private receivers of webhooks: host names, addresses or networks such as `10.1.2.0/24`. Webhooks "
        "are sent to these and to public addresses only; `http:` is accepted for them only.",
    )
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
    def most_sockets(self) -> int:
        """Maximum of open websockets per organization."""
        return self.max_sockets or self.max_subscriptions

    @property
    def has_graphiql(self) -> bool:
        """Whether browsers get GraphiQL. Its queries are no trusted documents."""
        return self.graphiql and not self.documents_only

    @property
    def has_introspection(self) -> bool:
        """Whether clients may ask for the schema."""
        return self.introspection and not self.documents_only

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
        problem = error.errors(include_input=False, include_url=False)[0]
        name = PREFIX + "_".join(str(part) for part in problem["loc"]).upper()
        expected = _EXPECTED.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name} is wrong: {expected[0].lower()}{expected[1:]}.") from None
