"""Where the daemon is and how to be let in, from as little of the configuration as that takes.

The whole configuration is not read: its accounts name secrets that only the daemon's own environment holds.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from notifier.cli.options import Misuse, Remote
from notifier.config.fields import is_loopback
from notifier.config.model import Server, Storage
from notifier.config.secret import Secret
from notifier.config.section import Section
from notifier.errors import ConfigError, Problem

KEY_VARIABLE = "NOTIFIER_API_KEY"
SANDBOX_FILE = Path("notifier-sandbox.db")
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the address to call, not to listen on
_S = TypeVar("_S", bound=Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A daemon's address without a slash at its end, the key to it if there is one, and what to do without."""

    url: str
    key: Secret | None
    advice: str


def find(options: Remote, environ: Mapping[str, str]) -> Daemon:
    """Return the daemon that the options, the environment and the configuration mean, in this order.

    Raises: ConfigError; Misuse when no address can be told.
    """
    raw = _read(options.config, is_needed=options.url is None)
    server = _table(Server, raw, environ)
    url = _checked(options.url) if options.url else _own_url(server)
    key = environ.get(KEY_VARIABLE)
    if key:
        return Daemon(
            url=url, key=Secret(key), advice=f"${KEY_VARIABLE} holds another daemon's key, or an old one"
        )
    if server.api_key:
        return Daemon(url=url, key=server.api_key, advice="the key of [server] is not the daemon's")
    if not is_loopback(str(urlsplit(url).hostname)):
        return Daemon(url=url, key=None, advice=f"set ${KEY_VARIABLE} to the daemon's API key")
    return _with_written_key(url, _key_files(raw, environ))


def _with_written_key(url: str, files: list[Path]) -> Daemon:
    """Look for the key that a daemon on loopback makes and writes beside its database, readable to its user."""
    for file in files:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except OSError as error:
            return Daemon(
                url=url, key=None, advice=f"{file}: {error.strerror}; set ${KEY_VARIABLE}, or ask as its user"
            )
        return Daemon(
            url=url, key=Secret(key), advice=f"the key in {file} is not this daemon's; set ${KEY_VARIABLE}"
        )
    places = " or ".join(map(str, files)) or "no file"
    advice = (
        f"set ${KEY_VARIABLE}, or, for the sandbox, run this where it was started: its key lies in {places}"
    )
    return Daemon(url=url, key=None, advice=advice)


def database_of(storage: Storage, *, has_account: bool) -> Path | None:
    """Return the daemon's database file, None for PostgreSQL; without an account it runs on the sandbox."""
    is_play = not has_account and storage == Storage()
    return SANDBOX_FILE if is_play else storage.sqlite_path


def _key_files(raw: Mapping[str, Any], environ: Mapping[str, str]) -> list[Path]:
    """Return where the key may be: with accounts, too, the daemon may have been started with --sandbox."""
    storage = _table(Storage, raw, environ)
    has_account = bool(raw.get("accounts")) or any(name.startswith("NOTIFIER_ACCOUNTS__") for name in environ)
    found = (database_of(storage, has_account=is_real) for is_real in (has_account, False))
    databases = dict.fromkeys(each for each in found if each is not None)
    return [each.with_name(f"{each.name}.api-key") for each in databases]


def _read(path: Path, *, is_needed: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        if not is_needed:
            return {}
        ways = (
            "name the file by --config or NOTIFIER_CONFIG, or the daemon's address by --url or NOTIFIER_URL"
        )
        raise ConfigError(
            [Problem("", f"cannot read {path}: {error.strerror}; {ways}", "unreadable")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"{path} is not TOML: {error}", "syntax")]) from None


def _table(kind: type[_S], raw: Mapping[str, Any], environ: Mapping[str, str]) -> _S:
    name = kind.__name__.lower()
    variables = {key: f"NOTIFIER_{name}__{key}".upper() for key in kind.model_fields}
    given = {key: environ[variable] for key, variable in variables.items() if variable in environ}
    try:
        return kind.model_validate(raw.get(name, {}) | given, context=environ)
    except ValidationError as error:
        problems = [
            Problem(".".join([name, *map(str, each["loc"])]), each["msg"].removeprefix("Value error, "))
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ConfigError(problems) from None


def _own_url(server: Server) -> str:
    if server.port == 0:
        raise Misuse(
            "server.port is 0, so the daemon took any free port; name its address by --url or NOTIFIER_URL"
        )
    host = _ANYWHERE.get(server.host, server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound:
        raise Misuse(f"{url!r} is no address of a daemon; give one such as http://127.0.0.1:8080")
    return url.rstrip("/")
