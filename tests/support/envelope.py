"""The upstream's half of the envelope, built by hand so that it may be wrong in any way; no joserfc here."""

import base64
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from support.keys import key

KID = "key-1"
FORM_A = ("header", "encryptedKey", "iv", "encryptedPayload", "tag")
INNER = ("header", "payload", "signature")
OAEP = {
    name: padding.OAEP(padding.MGF1(hash_()), hash_(), None)
    for name, hash_ in (("RSA-OAEP", SHA1), ("RSA-OAEP-256", SHA256))
}
Parts = list[str]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def without_nothing(header: dict[str, Any]) -> str:
    return b64(json.dumps({name: value for name, value in header.items() if value is not None}).encode())


def signed(payload: bytes, by: RSAPrivateKey | None = None, **header: Any) -> Parts:
    head = without_nothing({"alg": "RS256", "kid": KID} | header)
    text = f"{head}.{b64(payload)}"
    signature = (by or key("theirs")).sign(text.encode(), padding.PKCS1v15(), SHA256())
    return [*text.split("."), b64(signature)]


def encrypted(text: bytes, to: RSAPrivateKey | None = None, **header: Any) -> Parts:
    whole = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": KID} | header
    head, cek, iv = without_nothing(whole), AESGCM.generate_key(256), os.urandom(12)
    pad = OAEP.get(whole["alg"], OAEP["RSA-OAEP-256"])
    wrapped = (to or key("ours")).public_key().encrypt(cek, pad)
    sealed = AESGCM(cek).encrypt(iv, text, head.encode())
    return [head, *map(b64, (wrapped, iv, sealed[:-16], sealed[-16:]))]


def inner(parts: Parts, form: str = "A") -> bytes:
    return (json.dumps(dict(zip(INNER, parts, strict=True))) if form == "A" else ".".join(parts)).encode()


def body(parts: Parts, form: str = "A") -> bytes:
    """Write the envelope: form A, form B, or as a compact text, bare or in JSON."""
    if form == "A":
        return json.dumps(dict(zip(FORM_A, parts, strict=True))).encode()
    compact = ".".join(parts)
    return {"B": json.dumps({"JWT": compact}), "bare": compact, "text": json.dumps(compact)}[form].encode()


def answer(payload: bytes) -> bytes:
    """Seal as the upstream would for us."""
    return body(encrypted(inner(signed(payload))))


def asked(request_body: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Open our request as the upstream would: return the claims, the outer and the inner header; raise if wrong."""
    parts = [json.loads(request_body)[name] for name in FORM_A]
    head, wrapped, iv, text, tag = parts
    outer = json.loads(unb64(head))
    cek = key("theirs").decrypt(unb64(wrapped), OAEP[outer["alg"]])
    plain = json.loads(AESGCM(cek).decrypt(unb64(iv), unb64(text) + unb64(tag), head.encode()))
    signature, said = unb64(plain["signature"]), f"{plain['header']}.{plain['payload']}".encode()
    key("ours").public_key().verify(signature, said, padding.PKCS1v15(), SHA256())
    return json.loads(unb64(plain["payload"])), outer, json.loads(unb64(plain["header"]))
