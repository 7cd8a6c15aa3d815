"""The upstream's envelope: a signed text (JWS) in an encrypted one (JWE), sealed for it and opened from it.

Rules and names: docs/encryption.md. Each header is judged here, against a list of what is allowed, before a key is
touched; the cryptography is joserfc's.
"""

import base64
import re
from typing import Any

import msgspec
from joserfc import jwe, jws
from joserfc.errors import ExceededSizeError, JoseError

from notifier.source.contract import Failure, FailureReason
from notifier.source.keys import Keys
from notifier.source.refusal import UNREADABLE

_MOST_BYTES = 1 << 20
_SEALING, _CONTENT, _SIGNING = frozenset({"RSA-OAEP", "RSA-OAEP-256"}), "A256GCM", "RS256"
_SEALING_OURS = "RSA-OAEP-256"
_TOKEN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)+")
_COMPACT = re.compile(rb'\s*"?(eyJ[A-Za-z0-9_.-]*)"?\s*')
_SHOWN = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MOST_HEADER_CHARACTERS = 1024
_JWS_PARTS, _JWE_PARTS = 3, 5

_JWE = jwe.JWERegistry(algorithms=[*_SEALING, _CONTENT], strict_check_header=False)
_JWE.max_ciphertext_length = _MOST_BYTES  # 64 KiB as the library comes; the others fit keys of 8192 bits
_JWE.max_encrypted_key_length = 2048
_JWS = jws.JWSRegistry(algorithms=[_SIGNING], strict_check_header=False)
_JWS.max_payload_length = _MOST_BYTES
_JWS.max_header_length = _MOST_HEADER_CHARACTERS
_JWS.max_signature_length = 2048


class _Sealed(msgspec.Struct):
    """The members of both forms; one that is odd makes it an envelope that cannot be opened, not another answer."""

    JWT: Any = None
    header: Any = None
    encryptedKey: Any = None  # noqa: N815 - the upstream's name
    iv: Any = None
    encryptedPayload: Any = None  # noqa: N815 - the upstream's name
    tag: Any = None


class _Signed(msgspec.Struct):
    header: str
    payload: str
    signature: str


class _Header(msgspec.Struct):
    alg: str
    enc: str | None = None
    kid: str | None = None
    crit: Any = msgspec.UNSET
    zip: Any = msgspec.UNSET
    b64: Any = msgspec.UNSET


_BODY = msgspec.json.Decoder(_Sealed)
_INNER = msgspec.json.Decoder(_Signed)
_HEADER = msgspec.json.Decoder(_Header)


def sealed(text: bytes, keys: Keys) -> bytes:
    """Return the body of a request: `text` signed by us and encrypted for the upstream, both in JSON form."""
    own = {"alg": _SIGNING, "kid": keys.kid}
    signed = jws.serialize_compact(own, text, keys.private[keys.kid], registry=_JWS).split(".")
    inner = dict(zip(("header", "payload", "signature"), signed, strict=True))
    outer = {"alg": _SEALING_OURS, "enc": _CONTENT, "kid": keys.kid}
    public = keys.public[keys.kid]
    token = jwe.encrypt_compact(outer, msgspec.json.encode(inner), public, registry=_JWE).split(".")
    members = ("header", "encryptedKey", "iv", "encryptedPayload", "tag")
    return msgspec.json.encode(dict(zip(members, token, strict=True)))


def opened(body: bytes, keys: Keys | None) -> bytes | Failure | None:
    """Return what the upstream signed and sealed, or None when the body of this 200 is no envelope at all.

    A failure says why an envelope could not be opened; what was inside is not looked at. A header without a kid
    is taken to mean the kid that we send with.
    """
    if len(body) > _MOST_BYTES:
        return _failure(FailureReason.TOO_LARGE)
    token = _token(body)
    if token is None or isinstance(token, Failure):
        return token
    if keys is None:
        return _failure(FailureReason.UNKNOWN_KEY, "encrypted, and no jwe keys are configured")
    signed = _decrypted(token, keys)
    return signed if isinstance(signed, Failure) else _verified(signed, keys)


def _token(body: bytes) -> str | Failure | None:
    """Bring every form of an envelope into the compact one."""
    compact = _COMPACT.fullmatch(body)
    if compact:
        token: Any = compact[1].decode()
    else:
        try:
            found = _BODY.decode(body)
        except UNREADABLE:
            return None
        if found.JWT is None and found.encryptedPayload is None:
            return None
        parts = (found.header, found.encryptedKey, found.iv, found.encryptedPayload, found.tag)
        token = found.JWT if found.JWT is not None else ".".join(map(str, parts))
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return _failure(FailureReason.MALFORMED, "not an envelope that can be opened")
    if token.count(".") == _JWS_PARTS - 1:
        return _failure(FailureReason.UNSEALED, "signed and not encrypted")
    if token.count(".") != _JWE_PARTS - 1:
        return _failure(FailureReason.MALFORMED, "not an envelope that can be opened")
    return token


def _decrypted(token: str, keys: Keys) -> bytes | Failure:
    header = _header(token, _SEALING, _CONTENT)
    if isinstance(header, Failure):
        return header
    key = keys.private.get(keys.kid if header.kid is None else header.kid)
    if key is None:
        return _unknown(header)
    try:
        return jwe.decrypt_compact(token, key, registry=_JWE).plaintext or b""
    except ExceededSizeError:
        return _failure(FailureReason.TOO_LARGE)
    except (JoseError, *UNREADABLE):
        return _failure(FailureReason.TAMPERED, "altered, or encrypted for another key than ours of this kid")


def _verified(signed: bytes, keys: Keys) -> bytes | Failure:
    token = _signed_token(signed)
    if token is None:
        return _failure(FailureReason.SIGNATURE, "encrypted and not signed")
    header = _header(token, frozenset({_SIGNING}), None)
    if isinstance(header, Failure):
        return header
    key = keys.public.get(keys.kid if header.kid is None else header.kid)
    if key is None:
        return _unknown(header)
    try:
        return jws.deserialize_compact(token, key, registry=_JWS).payload
    except ExceededSizeError:
        return _failure(FailureReason.TOO_LARGE)
    except (JoseError, *UNREADABLE):
        return _failure(FailureReason.SIGNATURE, "not signed by the upstream's key of this kid")


def _signed_token(signed: bytes) -> str | None:
    try:
        if signed.startswith(b"{"):
            inner = _INNER.decode(signed)
            token = f"{inner.header}.{inner.payload}.{inner.signature}"
        else:
            token = signed.decode("ascii")
    except UNREADABLE:
        return None
    return token if _TOKEN.fullmatch(token) and token.count(".") == _JWS_PARTS - 1 else None


def _header(token: str, algorithms: frozenset[str], content: str | None) -> _Header | Failure:
    """Read a protected header, allowing these algorithms only and nothing that changes how the rest is read."""
    text = token.partition(".")[0]
    if len(text) > _MOST_HEADER_CHARACTERS:
        return _failure(FailureReason.TOO_LARGE)
    try:
        header = _HEADER.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except UNREADABLE:
        return _failure(FailureReason.MALFORMED, "an envelope whose header cannot be read")
    if header.alg not in algorithms or header.enc != content:
        named = " and ".join(_shown(name) for name in (header.alg, header.enc) if name is not None)
        return _failure(FailureReason.ALGORITHM, f"not allowed: {named}")
    for name in ("crit", "zip", "b64"):
        if getattr(header, name) is not msgspec.UNSET:
            return _failure(FailureReason.ALGORITHM, f"not allowed: {name}")
    return header


def _unknown(header: _Header) -> Failure:
    return _failure(FailureReason.UNKNOWN_KEY, f"no key of kid {_shown(header.kid or '')}")


def _shown(word: str) -> str:
    return word if _SHOWN.fullmatch(word) else "(odd)"


def _failure(reason: FailureReason, detail: str = "") -> Failure:
    return Failure(reason=reason, http_status=200, detail=detail)
