"""Who is told, and through which doors: subscriptions, operators, Slack, e-mail."""

from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationInfo, field_validator, model_validator

from notifier.config.fields import (
    EnvName,
    Expiry,
    NeededEnvName,
    Patience,
    Port,
    Rate,
    Schedule,
    Seconds,
    SecretFile,
    Text,
    Url,
    is_loopback,
)
from notifier.config.secret import Secret
from notifier.config.section import Section


class BasicAuth(Section):
    """Credentials for a receiver that asks for HTTP Basic."""

    username: Text
    password_file: SecretFile | None = None
    password_env: NeededEnvName = None

    def body(self) -> dict[str, str]:
        return {"username": self.username, "password": self._secrets["password"].reveal()}


class Subscription(Section):
    """One table [subscriptions.NAME]; its members are those of the REST body, which is checked further."""

    channel: Text
    target: Text | None = Field(default=None, repr=False)
    target_file: SecretFile | None = None
    target_env: NeededEnvName = None
    account: Text | None = None
    events: tuple[Text, ...] = Field(min_length=1)
    filter: dict[str, Any] | None = None
    tags: tuple[Text, ...] = Field(default=(), max_length=20)
    template: Text | None = None
    mode: Literal["all", "latest"] = "all"
    ordering: Literal["hold", "strict"] = "hold"
    schedule: Schedule | None = None
    expires_after_s: Expiry | None = None
    rate_per_s: Rate | None = None
    digest_s: Patience | None = None
    headers: dict[Text, str] = Field(default_factory=dict, repr=False)
    headers_env: dict[Text, EnvName] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    since: AwareDatetime | None = None
    secret_file: SecretFile | None = None
    secret_env: EnvName | None = None

    @property
    def secret(self) -> Secret | None:
        """The signing secret, `whsec_…`; None leaves its making to the notifier."""
        return self._secrets.get("secret")

    def body(self) -> dict[str, Any]:
        """Return the given members as JSON values in the REST body's shape, credentials in clear."""
        own = {"headers", "headers_env", "basic_auth"}
        own |= {name for name in type(self).model_fields if name.endswith(("_env", "_file"))}
        body = self.model_dump(mode="json", exclude_unset=True, exclude=own)
        headers = self.headers | {key: self._secrets[f"headers.{key}"].reveal() for key in self.headers_env}
        given: dict[str, Any] = {
            name: self._secrets[name].reveal() for name in ("target", "secret") if name in self._secrets
        }
        if headers:
            given["headers"] = headers
        if self.basic_auth:
            given["basic_auth"] = self.basic_auth.body()
        return body | given


class Plain(Section):
    """A threshold that somebody wrote; its members are those of the REST body."""

    window_s: int
    more_than: int | None = None
    rate_over: float | None = None
    at_least: int | None = None


class Alert(Section):
    """One table [alerts.NAME]; its members are those of the REST body, which is checked further."""

    outcome: Text | tuple[Text, ...]
    account: Text | None = None
    dimensions: tuple[Text, ...] = ("gateway", "payment_method_type", "payment_method", "bank")
    filter: dict[str, tuple[Text, ...]] | None = None
    false_pages_per_month: float = 1.0
    tiers: tuple[Text, ...] = ("page", "warn", "slow", "run")
    plain: Plain | None = None
    page_budget: int = 2
    routes: tuple[Text, ...] = ()

    def body(self) -> dict[str, Any]:
        """Return the given members as JSON values in the REST body's shape."""
        return self.model_dump(mode="json", exclude_unset=True)


class Operators(Section):
    """Where the daemon tells of its own troubles, and whom it assures that it lives."""

    channel: Text | None = None
    target: Text | None = Field(default=None, repr=False)
    target_file: SecretFile | None = None
    target_env: EnvName | None = None
    secret_file: SecretFile | None = None
    secret_env: EnvName | None = None
    heartbeat_url_file: SecretFile | None = None
    heartbeat_url_env: EnvName | None = None
    every_s: Seconds = 60

    @model_validator(mode="after")
    def _channel_and_target_go_together(self) -> Self:
        if (self.channel is None) != (self.address is None):
            raise ValueError("channel and target (or target_env, target_file) go together")
        return self

    @property
    def address(self) -> Secret | None:
        """The target, from wherever it was given."""
        return self._secrets.get("target") or (Secret(self.target) if self.target else None)

    @property
    def secret(self) -> Secret | None:
        return self._secrets.get("secret")

    @property
    def heartbeat_url(self) -> Secret | None:
        return self._secrets.get("heartbeat_url")


class Slack(Section):
    """The bot that posts to channel ids; webhook addresses need none of it."""

    bot_token_file: SecretFile | None = None
    bot_token_env: EnvName | None = None
    signing_secret_file: SecretFile | None = None
    signing_secret_env: EnvName | None = None
    api_url: Url = "https://slack.com/api"

    @property
    def bot_token(self) -> Secret | None:
        return self._secrets.get("bot_token")

    @property
    def signing_secret(self) -> Secret | None:
        """What Slack signs the clicks on our buttons with; without it messages have no such buttons."""
        return self._secrets.get("signing_secret")


class Email(Section):
    """The SMTP server that takes our mail; without a host the channel is closed."""

    sender: Text | None = Field(default=None, alias="from")
    host: Text | None = None
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text | None = None
    password_file: SecretFile | None = None
    password_env: EnvName | None = None
    timeout_s: Seconds = 30

    @field_validator("sender")
    @classmethod
    def _a_sender_is_an_address(cls, sender: str | None) -> str | None:
        if sender is not None and "@" not in sender:
            raise ValueError("should be an address such as notifier@example.com")
        return sender

    @field_validator("host")
    @classmethod
    def _a_host_needs_a_sender(cls, host: str | None, info: ValidationInfo) -> str | None:
        if host and info.data.get("sender", "in trouble") is None:
            raise ValueError("needs `from`, the address that mail comes from")
        return host

    @model_validator(mode="after")
    def _a_password_goes_with_a_name(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password_env (or password_file) go together")
        if self.password and self.security == "none" and not is_loopback(str(self.host)):
            raise ValueError('security = "none" would send the password in clear; use "starttls" or "tls"')
        return self

    @property
    def password(self) -> Secret | None:
        return self._secrets.get("password")
