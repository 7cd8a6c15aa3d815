"""The merchant accounts whose orders are watched."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from notifier.config.fields import Count, Date, KeyFiles, NeededEnvName, Origin, Rate, SecretFile, Text
from notifier.config.secret import Secret
from notifier.config.section import Section

UPSTREAM = "https://api.juspay.in"

Keepable = Literal[
    "customer_id", "product_id",
    "udf1", "udf2", "udf3", "udf4", "udf5", "udf6", "udf7", "udf8", "udf9", "udf10",
]  # fmt: skip
"""A member that may hold personal data, and is read for accounts that ask for it."""


class Credit(Section):
    """HyperCredit of the same merchant: a host and a key of its own."""

    base_url: Origin = UPSTREAM
    api_key_file: SecretFile | None = None
    api_key_env: NeededEnvName = None

    @property
    def api_key(self) -> Secret:
        return self._secrets["api_key"]


class Hints(Section):
    """The Basic credentials that the upstream's own webhook comes with."""

    user_file: SecretFile | None = None
    user_env: NeededEnvName = None
    password_file: SecretFile | None = None
    password_env: NeededEnvName = None
    register_unknown: bool = False

    @model_validator(mode="after")
    def _the_user_ends_at_a_colon(self) -> Self:
        if ":" in self.user.reveal():
            raise ValueError("the user's name has a colon, which HTTP Basic cannot carry; choose another")
        return self

    @property
    def user(self) -> Secret:
        return self._secrets["user"]

    @property
    def password(self) -> Secret:
        return self._secrets["password"]


class Account(Section):
    """One merchant at the upstream, with the budget of requests it may cost."""

    base_url: Origin = UPSTREAM
    merchant_id: Text
    api_key_file: SecretFile | None = None
    api_key_env: NeededEnvName = None
    version: Date = "2023-06-30"
    routing_id: Text = "customer_id"
    requests_per_s: Rate = 10
    max_concurrency: Count = 8
    keep: tuple[Keepable, ...] = ()
    encryption: Literal["none", "jwe"] = "none"
    jwe_kid: Text | None = Field(default=None, validate_default=True)
    jwe_private_key_file: KeyFiles | None = Field(default=None, validate_default=True)
    jwe_public_key_file: KeyFiles | None = Field(default=None, validate_default=True)
    credit: Credit | None = None
    hints: Hints | None = None

    @field_validator("jwe_kid", "jwe_private_key_file", "jwe_public_key_file")
    @classmethod
    def _encryption_needs_its_keys(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("encryption") == "jwe":
            raise ValueError('is missing; encryption = "jwe" needs it')
        return value

    @property
    def api_key(self) -> Secret:
        return self._secrets["api_key"]

    @property
    def jwe_private_keys(self) -> dict[str, Secret]:
        """Our own keys by kid, in PEM; a file that is no folder holds the one of `jwe_kid`."""
        return self._keys("jwe_private_key")

    @property
    def jwe_public_keys(self) -> dict[str, Secret]:
        """The upstream's keys by kid, in PEM."""
        return self._keys("jwe_public_key")

    def _keys(self, name: str) -> dict[str, Secret]:
        if name in self._secrets:
            return {self.jwe_kid or "": self._secrets[name]}
        before = f"{name}."
        return {
            key.removeprefix(before): text for key, text in self._secrets.items() if key.startswith(before)
        }
