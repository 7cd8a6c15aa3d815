"""The RSA keys of an account whose answers come encrypted: read once, checked, told apart by their kid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from joserfc.jwk import RSAKey

from notifier.config.accounts import Account
from notifier.config.secret import Secret
from notifier.errors import ConfigError, Problem

_FEWEST_BITS, _MOST_BITS = 2048, 8192
_SETTINGS = ("jwe_kid", "jwe_private_key_file", "jwe_public_key_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Our private keys by kid, which sign and open, and the upstream's public ones, which seal and verify.

    Both hold `kid`, the one that we sign and seal with; the others are for answers while keys are changed.
    """

    kid: str
    private: Mapping[str, RSAKey] = field(repr=False)
    public: Mapping[str, RSAKey] = field(repr=False)


def keys_of(account_name: str, account: Account) -> Keys | None:
    """Return the account's keys, or None when it names none.

    Raises: ConfigError with every problem, by setting and file; never with what is in a file.
    """
    kid, ours, theirs = account.jwe_kid, account.jwe_private_key_file, account.jwe_public_key_file
    given = dict(zip(_SETTINGS, (kid, ours, theirs), strict=True))
    at = f"accounts.{account_name}."
    if kid is None or ours is None or theirs is None:
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == len(given):
            return None
        message = f"is missing; {', '.join(_SETTINGS)} go together"
        raise ConfigError([Problem(at + name, message, "missing") for name in missing])
    problems: list[Problem] = []
    loaded = partial(_loaded, kid=kid, at=at, problems=problems)
    private = loaded("jwe_private_key_file", ours, account.jwe_private_keys, _private)
    public = loaded("jwe_public_key_file", theirs, account.jwe_public_keys, _public)
    moduli = {key["n"] for key in private.values()}
    for name in [name for name, key in public.items() if key["n"] in moduli]:
        message = f"{_file(theirs, name)} is the other half of our private key; the upstream's key is needed"
        problems.append(Problem(f"{at}jwe_public_key_file", message))
    if problems:
        raise ConfigError(problems)
    return Keys(kid=kid, private=private, public=public)


def key_problems(accounts: Mapping[str, Account]) -> list[Problem]:
    """Return all that is wrong with the keys of any account."""
    problems: list[Problem] = []
    for name, account in accounts.items():
        try:
            keys_of(name, account)
        except ConfigError as error:
            problems += error.problems
    return problems


def _loaded(
    setting: str,
    path: Path,
    texts: Mapping[str, Secret],
    load: Callable[[bytes], RSAKey | str],
    *,
    kid: str,
    at: str,
    problems: list[Problem],
) -> dict[str, RSAKey]:
    loaded = {}
    for name, text in texts.items():
        key = load(text.reveal().encode())
        if isinstance(key, str):
            problems.append(Problem(at + setting, f"{_file(path, name)} {key}"))
        else:
            loaded[name] = key
    if kid not in texts:
        problems.append(Problem(f"{at}jwe_kid", f"needs a file {kid}.pem in {path}, the folder of {setting}"))
    return loaded


def _private(pem: bytes) -> RSAKey | str:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        return "is locked by a passphrase; store it without one, readable to the notifier alone"
    except (ValueError, UnsupportedAlgorithm):
        return "holds no private key in PEM that can be read"
    return _checked(key) if isinstance(key, RSAPrivateKey) else "holds no RSA key"


def _public(pem: bytes) -> RSAKey | str:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return "holds no public key in PEM that can be read"
    return _checked(key) if isinstance(key, RSAPublicKey) else "holds no RSA key"


def _checked(key: RSAPrivateKey | RSAPublicKey) -> RSAKey | str:
    if not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        return f"holds a key of {key.key_size} bits; {_FEWEST_BITS} to {_MOST_BITS} are taken"
    return RSAKey.import_key(key)


def _file(path: Path, name: str) -> str:
    return f"file {path / f'{name}.pem' if path.is_dir() else path}"
