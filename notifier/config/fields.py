"""What the value of a configuration key may be."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo

DAY_S = 86_400
LONGEST_EXPIRY_S = 30 * DAY_S
_PORTS = 65_536


def environ_of(context: object) -> Mapping[str, str]:
    """Return the environment that validation was given as its context; empty when it was given none."""
    return context if isinstance(context, Mapping) else {}


def is_loopback(host: str) -> bool:
    """Say whether `host` is this machine and nobody else's."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_secret(path: Path) -> str:
    """Return the text of a secret's file without the white space around it; ValueError says why it cannot."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"file {path} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"file {path} is empty")
    return text


def read_secrets(path: Path) -> dict[str, str]:
    """Return the texts of the `NAME.pem` files of a folder by NAME; ValueError as above, or when there is none."""
    texts = {file.stem: read_secret(file) for file in sorted(path.glob("*.pem"))}
    if not texts:
        raise ValueError(f"folder {path} holds no file that ends in .pem")
    return texts


def _variable_set(name: str, info: ValidationInfo) -> str:
    if not environ_of(info.context).get(name):
        raise ValueError(f"environment variable {name} is not set")
    return name


def _file_readable(path: Path) -> Path:
    read_secret(path)
    return path


def _keys_readable(path: Path) -> Path:
    if path.is_dir():
        read_secrets(path)
    else:
        read_secret(path)
    return path


def _named(value: str | None, info: ValidationInfo) -> str | None:
    """Refuse a missing `NAME_env` unless `NAME` or `NAME_file` was given, if only wrongly."""
    stem = str(info.field_name).removesuffix("_env")
    others = info.data.get(stem), info.data.get(f"{stem}_file", "in trouble")
    if value is None and not any(others):
        ways = f"{stem} or {stem}_file" if stem in info.data else f"{stem}_file"
        raise ValueError(f"is missing; name the environment variable that holds it, or give {ways}")
    return value


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", text):
        raise ValueError("a name is 1 to 64 of a-z, 0-9, _ and -")
    return text


def _date(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError("should be a date such as 2023-06-30")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\\]", text):
        raise ValueError("should be an http or https address such as https://api.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not carry credentials")
    if "?" in text or "#" in text:
        raise ValueError("must end before ? and #")
    return text.rstrip("/")


def _origin(text: str) -> str:
    if urlsplit(text).path:
        raise ValueError("must end after host and port; the notifier adds the paths")
    return text


def _target(text: str) -> str:
    try:
        sound = bool(ip_network(text)) if "/" in text else _is_host(text)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError('should be "host", "host:port" or a network such as 10.0.0.0/8')
    return text.lower()


def _is_host(text: str) -> bool:
    found = re.fullmatch(r"(\[([0-9a-fA-F:.]+)\]|[A-Za-z0-9_.-]+)(:(\d{1,5}))?", text)
    if found is None:
        return bool(IPv6Address(text))
    return bool(found[2] is None or IPv6Address(found[2])) and 0 < int(found[4] or 1) < _PORTS


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, AfterValidator(_name)]
Date = Annotated[str, AfterValidator(_date)]
Url = Annotated[str, AfterValidator(_url)]
Origin = Annotated[Url, AfterValidator(_origin)]
Target = Annotated[Text, AfterValidator(_target)]

EnvName = Annotated[Text, AfterValidator(_variable_set)]
"""An environment variable that must be set."""
NeededEnvName = Annotated[EnvName | None, AfterValidator(_named), Field(validate_default=True)]
"""The same, and the secret must be given here or by the `*_file` declared before it."""
SecretFile = Annotated[Path, AfterValidator(_file_readable)]
KeyFiles = Annotated[Path, AfterValidator(_keys_readable)]
"""A file that holds one key, or a folder of `NAME.pem` that holds several."""

Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Rate = Annotated[float, Field(gt=0, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3650 * DAY_S)]
Patience = Annotated[float, Field(ge=0, le=DAY_S)]
Expiry = Annotated[float, Field(gt=0, le=LONGEST_EXPIRY_S)]
Schedule = Annotated[tuple[Expiry, ...], Field(min_length=1, max_length=100)]
