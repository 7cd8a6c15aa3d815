"""What every table of the configuration has in common: it is strict, frozen, and reads its own secrets."""

from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationInfo, field_validator

from notifier.config.fields import environ_of, read_secret, read_secrets
from notifier.config.secret import Secret


class Section(BaseModel):
    """One table; its keys `NAME_file` and `NAME_env` give the secret `NAME`, which is never a field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, serialize_by_alias=True
    )

    _secrets: dict[str, Secret] = PrivateAttr(default_factory=dict)

    @field_validator("*", mode="before")
    @classmethod
    def _a_truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("should not be true or false")
        return value

    def model_post_init(self, context: Any, /) -> None:
        """Read the named secrets; a file, declared first, outweighs a variable that is named by default."""
        environ = environ_of(context)
        for field in type(self).model_fields:
            stem, _, kind = field.rpartition("_")
            named = getattr(self, field)
            if kind == "file" and named and named.is_dir():
                for key, text in read_secrets(named).items():
                    self._keep(f"{stem}.{key}", text)
            elif kind == "file" and named:
                self._keep(stem, read_secret(named))
            elif kind == "env" and isinstance(named, dict):
                for key, variable in named.items():
                    self._keep(f"{stem}.{key}", environ.get(variable))
            elif kind == "env" and named and stem not in self._secrets:
                self._keep(stem, environ.get(named))

    def _keep(self, name: str, text: str | None) -> None:
        if text:
            self._secrets[name] = Secret(text)
