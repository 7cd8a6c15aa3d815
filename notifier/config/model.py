"""The whole configuration as values: one class a table, defaults and bounds where they are declared."""

from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from notifier.config.accounts import Account
from notifier.config.fields import (
    Count,
    Expiry,
    Name,
    Patience,
    Port,
    Schedule,
    Seconds,
    SecretFile,
    Target,
    Text,
    Url,
    environ_of,
    is_loopback,
    read_secret,
)
from notifier.config.secret import Secret
from notifier.config.section import Section
from notifier.config.told import Alert, Email, Operators, Slack, Subscription

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
MASTER_KEY_BYTES = 32

SCHEDULE = (
    5, 25, 90, 3 * MINUTE_S, 5 * MINUTE_S, 20 * MINUTE_S, 30 * MINUTE_S, 1 * HOUR_S, 2 * HOUR_S, 4 * HOUR_S,
    8 * HOUR_S, 8 * HOUR_S, 12 * HOUR_S, 12 * HOUR_S, 12 * HOUR_S, 12 * HOUR_S,
)  # fmt: skip
"""Sixteen further attempts, the last three days after the first."""


_NEXT = "_NEW"


def _check_master_key(text: str | None) -> None:
    try:
        is_sound = not text or len(b64decode(text, validate=True)) == MASTER_KEY_BYTES
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ValueError("does not hold 32 bytes in base64; make one by: openssl rand -base64 32")


class Server(Section):
    """Where REST and the dashboard listen, and the keys that guard them."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    public_url: Url | None = None
    shutdown_grace_s: Patience = 20
    api_key_file: SecretFile | None = None
    api_key_env: Text = "NOTIFIER_API_KEY"
    master_key_file: SecretFile | None = None
    master_key_env: Text = Field(default="NOTIFIER_MASTER_KEY", validate_default=True)

    @field_validator("master_key_file", "master_key_env")
    @classmethod
    def _a_master_key_is_32_bytes(cls, named: Path | str | None, info: ValidationInfo) -> Path | str | None:
        if isinstance(named, Path):
            _check_master_key(read_secret(named))
        elif named:
            environ = environ_of(info.context)
            _check_master_key(environ.get(named))
            _check_master_key(environ.get(f"{named}{_NEXT}"))
        return named

    def model_post_init(self, context: Any, /) -> None:
        """Read the secrets, and the master key that a rotation puts in place of the present one."""
        super().model_post_init(context)
        self._keep("next_master_key", environ_of(context).get(self.next_master_key_env))

    @property
    def api_key(self) -> Secret | None:
        """The operator's key; None when the variable named is not set."""
        return self._secrets.get("api_key")

    @property
    def master_key(self) -> Secret | None:
        """Base64 of the 32 bytes that seal stored secrets; None when the variable named is not set."""
        return self._secrets.get("master_key")

    @property
    def next_master_key_env(self) -> str:
        """The variable of the key that a rotation puts in place of the present one."""
        return f"{self.master_key_env}{_NEXT}"

    @property
    def next_master_key(self) -> Secret | None:
        """That key; None when the variable is not set."""
        return self._secrets.get("next_master_key")

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return is_loopback(self.host)


class Storage(Section):
    """The database."""

    url: Text = Field(default="sqlite:notifier.db", repr=False)
    retention_days: Count = 90

    @field_validator("url")
    @classmethod
    def _a_known_engine(cls, url: str) -> str:
        engine, _, rest = url.partition(":")
        is_file = engine == "sqlite" and not rest.startswith("//") and rest not in {"", ":memory:"}
        if not is_file and not (engine == "postgresql" and rest.startswith("//")):
            raise ValueError('should be "sqlite:notifier.db", "sqlite:/absolute/path" or "postgresql://…"')
        return url

    @property
    def sqlite_path(self) -> Path | None:
        """The database file, relative to the working directory unless absolute; None for PostgreSQL."""
        engine, _, path = self.url.partition(":")
        return Path(path) if engine == "sqlite" else None


class Polling(Section):
    """How often orders are looked at, and when they are given up or called late."""

    min_interval_s: Seconds = 1
    max_interval_s: Seconds = 3600
    price_s: Seconds = 3
    settle_failed_after_s: Seconds = 1 * DAY_S
    settle_charged_after_s: Seconds = 10 * DAY_S
    stuck_after_s: Seconds = 15 * MINUTE_S
    refund_overdue_after_s: Seconds = 10 * DAY_S

    @field_validator("max_interval_s")
    @classmethod
    def _not_below_the_least(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("min_interval_s", 0):
            raise ValueError("should not be below min_interval_s")
        return value


class Delivery(Section):
    """How callbacks, posts and mails are tried, and where they may go."""

    timeout_s: Annotated[Seconds, Field(le=300)] = 15
    schedule: Schedule = SCHEDULE
    expires_after_s: Expiry = 285_120
    concurrency: Count = 64
    order_hold_attempts: Count = 3
    order_hold_s: Patience = 600
    heartbeat_s: Patience = 1 * HOUR_S
    allow_http: bool = False
    allowed_ports: Annotated[tuple[Port, ...], Field(min_length=1)] = (443, 8443)
    allow_private_targets: bool = False
    allowed_targets: tuple[Target, ...] = ()
    keep_answers: bool = True
    disable_after_s: Seconds = 432_000


class Templates(Section):
    """Templates that stand before the shipped ones, file by file."""

    directory: Path | None = None
    over_rest: bool = False


class Logging(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Metrics(Section):
    """GET /metrics."""

    enabled: bool = True


class Config(Section):
    """The whole file; `accounts` empty means that the sandbox is the upstream."""

    server: Server = Server()
    storage: Storage = Storage()
    accounts: dict[Name, Account] = Field(default_factory=dict)
    polling: Polling = Polling()
    delivery: Delivery = Delivery()
    subscriptions: dict[Name, Subscription] = Field(default_factory=dict)
    alerts: dict[Name, Alert] = Field(default_factory=dict)
    slack: Slack = Slack()
    email: Email = Email()
    templates: Templates = Templates()
    operators: Operators = Operators()
    logging: Logging = Logging()
    metrics: Metrics = Metrics()
