"""The encrypted order status, opened by a client of its own: each envelope, each inner form, each hash."""

import base64
import json
from itertools import product

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from notifier.sandbox.jose import Keys
from notifier.sandbox.serve import Settings, running
from support.clock import FakeClock

KID = "sandbox-kid"
FLAT = ("header", "encryptedKey", "iv", "encryptedPayload", "tag")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def oaep(alg):
    hashed = hashes.SHA256() if alg == "RSA-OAEP-256" else hashes.SHA1()
    return padding.OAEP(mgf=padding.MGF1(hashed), algorithm=hashed, label=None)


class Client:
    """What a merchant's library does, from bare primitives."""

    def __init__(self, directory):
        self.private = load_pem_private_key((directory / "merchant_private.pem").read_bytes(), None)
        self.juspay = load_pem_public_key((directory / "juspay_public.pem").read_bytes())

    def seal(self, claims, *, alg="RSA-OAEP-256", flat=True, inner_flat=True, kid=KID, jws_alg="RS256"):
        header = b64(json.dumps({"alg": jws_alg, "kid": kid}).encode())
        payload = b64(json.dumps(claims).encode())
        signature = b64(
            self.private.sign(f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
        )
        parts = {"header": header, "payload": payload, "signature": signature}
        text = json.dumps(parts) if inner_flat else ".".join(parts.values())
        protected = b64(json.dumps({"alg": alg, "enc": "A256GCM", "cty": "JWT", "kid": kid}).encode())
        key, iv = b"k" * 32, b"i" * 12
        sealed = AESGCM(key).encrypt(iv, text.encode(), protected.encode())
        wrapped = self.juspay.encrypt(key, oaep(alg))
        values = [protected, b64(wrapped), b64(iv), b64(sealed[:-16]), b64(sealed[-16:])]
        return dict(zip(FLAT, values, strict=True)) if flat else {"JWT": ".".join(values)}

    def open(self, envelope):
        """Return the claims and how they were written; an answer's hash is SHA-256 whatever was asked."""
        flat = "JWT" not in envelope
        parts = [envelope[name] for name in FLAT] if flat else envelope["JWT"].split(".")
        protected = json.loads(unb64(parts[0]))
        assert protected == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": KID}
        key = self.private.decrypt(unb64(parts[1]), oaep("RSA-OAEP-256"))
        sealed = unb64(parts[3]) + unb64(parts[4])
        text = AESGCM(key).decrypt(unb64(parts[2]), sealed, parts[0].encode()).decode()
        inner_flat = text.startswith("{")
        header, payload, signature = json.loads(text).values() if inner_flat else text.split(".")
        self.juspay.verify(
            unb64(signature), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        assert json.loads(unb64(header)) == {"alg": "RS256", "kid": KID}
        return json.loads(unb64(payload)), flat, inner_flat


@pytest.fixture(scope="module")
def keys():
    return Keys.fresh()


@pytest.fixture
def client(tmp_path, keys):
    keys.write(tmp_path / "keys")
    return Client(tmp_path / "keys")


@pytest.fixture
async def world(clock, keys):
    async with running(Settings(keys=keys), clock=clock) as world:
        world.sandbox.create("OWUPI000000001", script="charged")
        await clock.advance(60)
        yield world


@pytest.fixture
def ask(merchant):
    async def ask(envelope, **headers):
        headers = {"x-merchantid": "sandboxmart"} | headers
        return await merchant.post("/v4/order-status", json=envelope, headers=headers)

    return ask


@pytest.mark.parametrize("alg", ["RSA-OAEP", "RSA-OAEP-256"])
@pytest.mark.parametrize("form", list(product([True, False], repeat=2)))
async def test_an_answer_has_the_form_of_its_request_and_the_body_of_the_plain_call(
    merchant, client, ask, alg, form
):
    flat, inner_flat = form
    envelope = client.seal({"order_id": "owupi000000001"}, alg=alg, flat=flat, inner_flat=inner_flat)
    status, answer = await ask(envelope)
    assert status == 200
    _, plain = await merchant.get("/orders/OWUPI000000001")
    assert client.open(answer) == (plain, flat, inner_flat)


async def test_the_raw_gateway_answer_is_a_claim(client, ask):
    claims = {"order_id": "OWUPI000000001", "options.add_full_gateway_response": "true"}
    _, answer = await ask(client.seal(claims))
    body, *_ = client.open(answer)
    assert body["payment_gateway_response"]["gateway_response"]["amount"] == 24950


async def test_a_session_and_a_refund_may_be_sealed_too(merchant, client):
    headers = {"x-merchantid": "sandboxmart"}
    wish = client.seal(
        {"order_id": "SEALED", "amount": 10.5, "metadata": {"webhook_url": "http://127.0.0.1:9/"}}
    )
    status, answer = await merchant.post("/v4/session", json=wish, headers=headers)
    assert status == 200
    assert client.open(answer)[0]["amount"] == 10.5
    refund = client.seal({"unique_request_id": "R1", "amount": "100.00"})
    status, answer = await merchant.post("/v4/orders/OWUPI000000001/refunds", json=refund, headers=headers)
    assert client.open(answer)[0]["amount_refunded"] == 100
    status, body = await merchant.post("/v4/orders/OWUPI000000001/refunds", json=refund, headers=headers)
    assert (status, body["error_code"]) == (400, "duplicate.call")
    assert (await merchant.post("/v4/session", json=client.seal({}), headers=headers))[0] == 400


async def test_errors_are_plain(client, ask):
    status, body = await ask(client.seal({"order_id": "NOBODY"}))
    assert (status, body["error_code"]) == (404, "order_not_found")
    status, body = await ask(client.seal({}))
    assert (status, body["error_info"]["fields"][0]["field_name"]) == (400, "order_id")


@pytest.mark.parametrize(
    "broken",
    [
        {"kid": "other-kid"},
        {"jws_alg": "HS256"},
        {"jws_alg": "none"},
    ],
)
async def test_another_key_id_or_signature_is_refused(client, ask, broken):
    status, body = await ask(client.seal({"order_id": "OWUPI000000001"}, **broken))
    assert (status, body["error_code"]) == (400, "bad_request")


@pytest.mark.parametrize("envelope", [{}, {"JWT": "a.b"}, {"JWT": 7}, [], {"header": "x"}])
async def test_what_is_no_envelope_is_refused(ask, envelope):
    assert (await ask(envelope))[0] == 400


async def test_a_changed_envelope_is_refused(client, ask):
    envelope = client.seal({"order_id": "OWUPI000000001"})
    assert (await ask(envelope | {"tag": b64(b"\0" * 16)}))[0] == 400


async def test_a_signature_needs_no_key_but_a_wrong_key_is_refused(client, ask, merchant):
    envelope = client.seal({"order_id": "OWUPI000000001"})
    assert (await ask(envelope))[0] == 200
    assert (await ask(envelope, Authorization=merchant.headers["Authorization"]))[0] == 200
    assert (await ask(envelope, Authorization="Basic bm9wZTo="))[0] == 401


async def test_faults_strike_the_encrypted_call_alone_when_asked(merchant, client, ask):
    await merchant.post("/sandbox/faults", json={"kind": "unknown_status", "call": "encrypted", "count": 2})
    _, answer = await ask(client.seal({"order_id": "OWUPI000000001"}))
    assert client.open(answer)[0]["status"] == "SETTLEMENT_HOLD"
    assert await merchant.status("OWUPI000000001") == "CHARGED"


async def test_without_keys_encryption_is_off(client):
    async with running(Settings(), clock=FakeClock()) as world:
        import aiohttp

        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{world.upstream_url}/v4/order-status",
                json=client.seal({"order_id": "A"}),
                headers={"x-merchantid": "sandboxmart"},
            ) as response,
        ):
            body = await response.json()
        assert (response.status, body["error_info"]["code"]) == (400, "FEATURE_NOT_ENABLED")


def test_private_keys_are_their_owners_and_each_writing_makes_them_new(tmp_path, keys):
    keys.write(tmp_path)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("*_private.pem")} == {
        "merchant_private.pem": 0o600,
        "juspay_private.pem": 0o600,
    }
    before = (tmp_path / "juspay_public.pem").read_bytes()
    Keys.fresh().write(tmp_path)
    assert (tmp_path / "juspay_public.pem").read_bytes() != before
