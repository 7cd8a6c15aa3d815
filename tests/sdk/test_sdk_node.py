"""Juspay's own Node library against the sandbox; long: it fetches the library, so it runs only with NOTIFIER_SDK=1."""

import asyncio
import json
import os
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notifier.sandbox.calls.routes import application
from notifier.sandbox.jose import Keys
from notifier.sandbox.webhooks.sender import Sender
from notifier.sandbox.world import Sandbox
from support.clock import START, FakeClock

LIBRARY = "expresscheckout-nodejs@1.0.0"
HOST = "sandbox.juspay.test"
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.skipif(not os.environ.get("NOTIFIER_SDK"), reason="long: set NOTIFIER_SDK=1"),
    pytest.mark.timeout(300),
]


async def ran(folder, *command, **environment):
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.fixture
async def library(tmp_path):
    """Fetch the library into a temporary folder, with the driver beside it."""
    npm = shutil.which("npm")
    assert npm is not None, "npm is needed to fetch the library"
    program = {"name": "shop", "version": "1.0.0", "private": True}  # the library asks for both where it runs
    (tmp_path / "package.json").write_text(json.dumps(program))
    await ran(
        tmp_path,
        npm,
        "install",
        "--prefix",
        str(tmp_path),
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        LIBRARY,
    )
    for name in ("driver.cjs", "wire.cjs"):
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def certificate(directory):
    """Write a certificate for the host, signed by itself, and return a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)  # noqa: TID251 - node's own clock judges it
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "tls.pem", directory / "tls.key")
    return context


@pytest.fixture
async def told(library):
    """Return what the library made of the sandbox's answers."""
    clock = FakeClock()
    sandbox = Sandbox(clock, keys=Keys.fresh())
    sandbox.keys.write(library)
    sandbox.create("SDK0", amount=249_50, script="charged")
    await clock.advance(60)
    runner = web.AppRunner(application(sandbox, Sender(sandbox)), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate(library)).start()
        printed = await ran(
            library, "node", "--require", str(library / "wire.cjs"), str(library / "driver.cjs"),
            SANDBOX_HOST=f"https://{HOST}",
            SANDBOX_KEYS=str(library),
            SANDBOX_TLS_PORT=str(runner.addresses[0][1]),
            NODE_EXTRA_CA_CERTS=str(library / "tls.pem"),
        )  # fmt: skip
    finally:
        await runner.cleanup()
    print(printed)  # noqa: T201 - seen with -s
    return json.loads(printed.splitlines()[-1])


async def test_the_official_library_reads_the_sandbox_plain_and_sealed(told):
    created, plain, sealed = told["created"], told["plain"], told["sealed"]
    assert (created["status"], created["order_id"], created["amount"]) == ("NEW", "SDK1", 249.5)
    assert (created["udf1"], created["customer_id"]) == ("blue", "cth_7")
    assert created["juspay"]["client_auth_token"].startswith("tkn_")
    assert plain == sealed
    assert plain == {name: value for name, value in created.items() if name != "juspay"}
    assert plain["date_created"] == f"{START.replace(minute=16):%Y-%m-%dT%H:%M:%SZ}"
    assert told["full"]["status"] == "CHARGED"
    assert told["full"]["payment_gateway_response"]["gateway_response"]["amount"] == 24950

    assert told["session"]["payment_links"]["web"]
    assert told["refund"]["amount_refunded"] == 100.25
    assert told["sealedRefund"]["amount_refunded"] == 101.25
    assert [row["status"] for row in told["sealedRefund"]["refunds"]] == ["PENDING", "PENDING"]

    wrong_key = told["wrongKey"]
    assert (wrong_key["name"], wrong_key["authentication"]) == ("AuthenticationError", True)
    assert (wrong_key["code"], wrong_key["info"]) == ("access_denied", "UNAUTHORIZED")
    for unknown in (told["unknown"], told["unknownSealed"]):
        assert (unknown["name"], unknown["request"]) == ("InvalidRequestError", True)
        assert (unknown["code"], unknown["info"]) == ("order_not_found", "RESOURCE_NOT_FOUND")
    assert (told["unpaid"]["name"], told["unpaid"]["code"]) == (
        "InvalidRequestError",
        "invalid.order.not_successful",
    )
