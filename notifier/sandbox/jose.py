"""The upstream's encryption: a JWS signed by one side within a JWE for the other, in each form official clients use."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from notifier.errors import InvalidValue
from notifier.sandbox.frame import Json

KID = "sandbox-kid"
_OAEP = ("RSA-OAEP", "RSA-OAEP-256")
_MOST_BYTES = 1 << 20
_FLAT_JWE = ("header", "encryptedKey", "iv", "encryptedPayload", "tag")
_FLAT_JWS = ("header", "payload", "signature")


class Shape(StrEnum):
    """How a token is written: its parts as members of an object, or joined by dots."""

    FLAT = "flat"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an envelope and the signed text in it are written; answers come in the form of their request."""

    envelope: Shape
    inner: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Both pairs; a real merchant has the private half of his own and the public half of Juspay's."""

    merchant: RSAKey
    juspay: RSAKey
    kid: str = KID

    @classmethod
    def fresh(cls) -> "Keys":
        """Return new pairs of 2048 bits."""
        return cls(merchant=RSAKey.generate_key(2048), juspay=RSAKey.generate_key(2048))

    def write(self, directory: Path) -> None:
        """Write four PEM files, over those that are there; private ones for their owner's eyes only."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, key in (("merchant", self.merchant), ("juspay", self.juspay)):
            private = directory / f"{name}_private.pem"
            private.unlink(missing_ok=True)
            private.touch(mode=0o600)
            private.write_bytes(key.as_pem(private=True))
            (directory / f"{name}_public.pem").write_bytes(key.as_pem(private=False))

    def opened(self, envelope: Any) -> tuple[Json, Form]:
        """Return the claims of a merchant's request, and its form; raises InvalidValue when it does not open."""
        try:
            token, outer = _joined(envelope, _FLAT_JWE)
            registry = jwe.JWERegistry(algorithms=[*_OAEP, "A256GCM"])
            registry.max_ciphertext_length = _MOST_BYTES
            decrypted = jwe.decrypt_compact(token, self.juspay, registry=registry)
            self._check(decrypted.headers())
            text = (decrypted.plaintext or b"").decode()
            signed, inner = _joined(json.loads(text) if text.startswith("{") else {"JWT": text}, _FLAT_JWS)
            verified = jws.deserialize_compact(signed, self.merchant, algorithms=["RS256"])
            self._check(verified.headers())
            claims = json.loads(verified.payload)
        except (JoseError, ValueError, RecursionError) as error:
            raise InvalidValue("", f"the envelope does not open: {error}", code="bad_request") from None
        if not isinstance(claims, dict):
            raise InvalidValue("", "the signed text is no JSON object", code="bad_request")
        return claims, Form(envelope=outer, inner=inner)

    def sealed(self, body: Json, form: Form) -> Json:
        """Return the body signed by Juspay and encrypted for the merchant."""
        signed = jws.serialize_compact(
            {"alg": "RS256", "kid": self.kid}, json.dumps(body), self.juspay, algorithms=["RS256"]
        )
        inner = json.dumps(_split(signed, _FLAT_JWS)) if form.inner is Shape.FLAT else signed
        header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": self.kid}
        token = jwe.encrypt_compact(header, inner, self.merchant, algorithms=["RSA-OAEP-256", "A256GCM"])
        return _split(token, _FLAT_JWE) if form.envelope is Shape.FLAT else {"JWT": token}

    def _check(self, header: Any) -> None:
        if header.get("kid") != self.kid:
            raise ValueError(f"the key id is {header.get('kid')!r}, known is {self.kid!r}")


def _joined(value: Any, names: tuple[str, ...]) -> tuple[str, Shape]:
    """Return a token in its compact form, and how it was written."""
    if not isinstance(value, dict):
        raise ValueError("an object was expected")  # noqa: TRY004 - of the sender's, not of the type
    if isinstance(compact := value.get("JWT"), str):
        return compact, Shape.COMPACT
    parts = [value.get(name) for name in names]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(f"an object with {', '.join(names)} was expected, or one with JWT")
    return ".".join(map(str, parts)), Shape.FLAT


def _split(token: str, names: tuple[str, ...]) -> Json:
    return dict(zip(names, token.split("."), strict=True))
