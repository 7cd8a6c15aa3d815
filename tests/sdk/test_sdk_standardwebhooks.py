"""What we sign, verified by Standard Webhooks' own Node library; long: it fetches it, so only with NOTIFIER_SDK=1."""

import asyncio
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from notifier.channels.webhook.signature import new_secret, sign, timestamp
from notifier.clock import SystemClock

LIBRARY = "standardwebhooks@1.0.0"
HERE = Path(__file__).parent
OLD, NEW = new_secret(), new_secret()
BODY = b'{"id":"evt_1","type":"order.charged","data":{"order_id":"JP\xc3\xa91"}}'

pytestmark = [
    pytest.mark.skipif(not os.environ.get("NOTIFIER_SDK"), reason="long: set NOTIFIER_SDK=1"),
    pytest.mark.timeout(300),
]


def case(*, has=NEW, signed=(NEW, OLD), age_s=0.0, body=BODY, around="{}", **bent):
    at = SystemClock().now() - timedelta(seconds=age_s)
    signature = sign(signed, event_id="evt_1", at=at, body=BODY)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": timestamp(at),
        "webhook-signature": around.format(signature),
    }
    return {"secret": has, "headers": headers | bent, "body": body.decode()}


def cases():
    good = {
        "one secret": case(signed=(NEW,)),
        "new during a rotation": case(),
        "old during a rotation": case(has=OLD),
        "junk before": case(around="junk v1a,AAAA v1, {}"),
        "junk behind": case(around="{} junk v1a,AAAA v1,"),
        "almost stale": case(age_s=280),
    }
    bad = {
        "old after a rotation": case(has=OLD, signed=(NEW,)),
        "another secret": case(has=new_secret()),
        "changed body": case(body=BODY.replace(b"charged", b"refunded")),
        "changed id": case(**{"webhook-id": "evt_2"}),
        "stale": case(age_s=320),
        "ahead": case(age_s=-320),
        "unknown scheme alone": case(**{"webhook-signature": "v1a,AAAA"}),
    }
    return good, bad


async def ran(folder, *command, given=b""):
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_official_node_library_verifies_what_we_sign_and_nothing_else(tmp_path):
    npm = shutil.which("npm")
    assert npm is not None, "npm is needed to fetch the library"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    await ran(tmp_path, npm, "install", "--prefix", str(tmp_path), *quiet, LIBRARY)
    shutil.copy(HERE / "verify.mjs", tmp_path)

    good, bad = cases()
    told = json.loads(await ran(tmp_path, "node", "verify.mjs", given=json.dumps(good | bad).encode()))

    assert told == dict.fromkeys(good, True) | dict.fromkeys(bad, False)
