"""RSA keys for tests, made once per process and name, and written as an operator would have them."""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@cache
def key(name: str, bits: int = 2048) -> RSAPrivateKey:
    """Return the key of a name: "ours", "theirs", or any other."""
    del name
    return generate_private_key(public_exponent=65537, key_size=bits)


def private_pem(key: RSAPrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def written(
    folder: Path, kid: str = "key-1", *, ours: str = "ours", theirs: str = "theirs"
) -> dict[str, str]:
    """Write one pair of files; return the settings of an account that name them."""
    private, public = folder / "private.pem", folder / "public.pem"
    private.write_text(private_pem(key(ours)))
    public.write_text(public_pem(key(theirs)))
    return {"jwe_kid": kid, "jwe_private_key_file": str(private), "jwe_public_key_file": str(public)}


def written_folders(folder: Path, kid: str, **pairs: tuple[str, str]) -> dict[str, str]:
    """Write a folder for each side, with a file per kid; `pairs` name our key and theirs by kid."""
    private, public = folder / "private", folder / "public"
    private.mkdir()
    public.mkdir()
    for each, (ours, theirs) in pairs.items():
        (private / f"{each}.pem").write_text(private_pem(key(ours)))
        (public / f"{each}.pem").write_text(public_pem(key(theirs)))
    return {"jwe_kid": kid, "jwe_private_key_file": str(private), "jwe_public_key_file": str(public)}
