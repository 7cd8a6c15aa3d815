"""The receivers that we ship are run: callbacks as the daemon signs them, over loopback, against each."""

import asyncio

import pytest
from receiver_kit import SECRET, Callback, Receiver, command, document
from yarl import URL

from notifier.channels.webhook.signature import new_secret

OLD, NEW = SECRET, new_secret()
JUNK = ("junk", "v1,", "v1,x,y", "v1a,AAAA", "v1," + "A" * 43 + "=", "v1,é", ",", "v2," + "B" * 43 + "=")


@pytest.fixture(params=["python", "node"])
async def idle(request, tmp_path):
    receiver = Receiver(request.param, tmp_path / "store")
    yield receiver
    await receiver.kill()


@pytest.fixture
async def receiver(idle):
    await idle.start()
    return idle


async def test_a_callback_is_accepted_and_its_repeat_acknowledged_but_not_applied_again(receiver):
    assert await receiver.gets(Callback()) == "applied evt_1"
    assert await receiver.gets(Callback()) == "repeated evt_1"
    assert await receiver.gets(Callback(age_s=200)) == "repeated evt_1"


async def test_the_state_of_a_lower_version_is_not_applied(receiver):
    told = [("evt_3", 3), ("evt_1", 1), ("evt_3b", 3), ("evt_2", 2), ("evt_4", 4)]
    made = [
        await receiver.gets(Callback(event_id=name, body=document(order_version=version)))
        for name, version in told
    ]
    assert [line.split()[0] for line in made] == ["applied", "outdated", "applied", "outdated", "applied"]


@pytest.mark.parametrize(
    "other",
    [{"account": "other"}, {"order_id": "other"}, {"subject": "refund", "subject_id": "R1"}],
    ids=["account", "order", "subject"],
)
async def test_versions_of_other_accounts_orders_and_subjects_say_nothing(receiver, other):
    await receiver.gets(Callback(event_id="evt_9", body=document(order_version=9)))
    assert await receiver.gets(Callback(body=document(order_version=1, **other))) == "applied evt_1"
    assert await receiver.gets(Callback(event_id="evt_2", body=document(order_version=2))) == "outdated evt_2"


async def test_events_of_no_order_are_taken_without_a_state(receiver):
    body = document("test.ping", order=None, order_version=0)
    assert await receiver.gets(Callback(body=body)) == "taken evt_1"
    assert await receiver.gets(Callback(body=body)) == "repeated evt_1"


async def test_one_flipped_bit_is_refused_wherever_it_is(receiver):
    headers, body = Callback().raw()
    for spot in (0, len(body) // 2, len(body) - 1):
        bent = bytearray(body)
        bent[spot] ^= 1
        assert await receiver.answers(headers, bytes(bent)) == 401
    assert await receiver.answers(headers, bytes([body[0] ^ 0x80]) + body[1:]) == 401
    assert await receiver.answers(headers, body + b"\n") == 401
    assert await receiver.answers(headers, b"") == 401
    assert await receiver.answers(headers | {"webhook-id": "evt_2"}, body) == 401
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert await receiver.answers(headers | {"webhook-timestamp": later}, body) == 401
    assert await receiver.gets(Callback()) == "applied evt_1"


@pytest.mark.parametrize("age_s", [310, -310])
async def test_a_callback_far_from_now_is_refused(receiver, age_s):
    headers, body = Callback(age_s=age_s).raw()
    assert await receiver.answers(headers, body) == 401
    headers, body = Callback(age_s=age_s - (20 if age_s > 0 else -20)).raw()
    assert await receiver.answers(headers, body) == 204


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_callback_without_one_of_its_headers_is_refused(receiver, header):
    headers, body = Callback().raw()
    del headers[header]
    assert await receiver.answers(headers, body) == 401
    assert await receiver.answers(headers | {header: ""}, body) == 401


@pytest.mark.parametrize("timestamp", ["yesterday", "nan", "9" * 30, "-1", "1e9"])
async def test_a_time_that_is_none_is_refused(receiver, timestamp):
    headers, body = Callback().raw()
    assert await receiver.answers(headers | {"webhook-timestamp": timestamp}, body) == 401


async def test_junk_beside_a_good_signature_does_no_harm_and_junk_alone_no_good(receiver):
    for number, entry in enumerate(JUNK):
        for place in ("{junk} {good}", "{good} {junk}"):
            name = f"evt_{number}_{place.index('{junk}')}"
            headers, body = Callback(event_id=name).raw()
            both = place.format(junk=entry, good=headers["webhook-signature"])
            assert await receiver.answers(headers | {"webhook-signature": both}, body) == 204, both
            assert await receiver.line() == f"applied {name}"
        assert await receiver.answers(headers | {"webhook-signature": entry}, body) == 401, entry
    headers, body = Callback(event_id="evt_all").raw()
    among = " ".join([*JUNK, headers["webhook-signature"], *JUNK])
    assert await receiver.answers(headers | {"webhook-signature": among}, body) == 204


@pytest.mark.parametrize("has", [[OLD], [NEW], [OLD, NEW]], ids=["old", "new", "both"])
async def test_during_a_rotation_a_receiver_may_have_either_secret(idle, has):
    await idle.start(*has)
    assert await idle.gets(Callback(secrets=(NEW, OLD))) == "applied evt_1"
    headers, body = Callback(event_id="evt_2", secrets=(new_secret(), new_secret())).raw()
    assert await idle.answers(headers, body) == 401


async def test_after_a_rotation_the_old_secret_verifies_nothing(receiver):
    headers, body = Callback(secrets=(NEW,)).raw()
    assert await receiver.answers(headers, body) == 401


async def test_numbers_that_were_overtaken_are_told_until_they_come(receiver):
    lines = [await receiver.gets(Callback(event_id=f"evt_{n}", sequence=n)) for n in (5, 8, 6, 10, 7, 9)]
    assert lines == [
        "applied evt_5",
        "applied evt_8 missing 6 missing 7",
        "applied evt_6 missing 7",
        "applied evt_10 missing 7 missing 9",
        "applied evt_7 missing 9",
        "applied evt_9",
    ]


async def test_an_event_that_another_subscription_brought_before_leaves_no_gap_behind_it(receiver):
    def told(event, sequence, subscription="sub_2"):
        return Callback(event_id=event, sequence=sequence, subscription=subscription)

    assert await receiver.gets(told("evt_1", 1)) == "applied evt_1"
    assert await receiver.gets(told("evt_2", 1, "sub_1")) == "applied evt_2"
    assert await receiver.gets(told("evt_2", 2)) == "repeated evt_2"
    assert await receiver.gets(told("evt_3", 3)) == "applied evt_3"
    assert await receiver.gets(told("evt_4", 2, "sub_1")) == "applied evt_4"
    assert await receiver.gets(told("evt_4", 4)) == "repeated evt_4"
    await receiver.kill()
    await receiver.start()
    assert await receiver.gets(told("evt_5", 5)) == "applied evt_5"


async def test_a_number_out_of_reach_fills_nothing(receiver):
    await receiver.gets(Callback(sequence=1))
    line = await receiver.gets(Callback(event_id="evt_2", sequence=10**11))
    assert line.count("missing") == 1000


async def test_what_was_acknowledged_outlives_a_kill(receiver):
    await receiver.gets(Callback(event_id="evt_3", sequence=3, body=document(order_version=3)))
    await receiver.gets(Callback(event_id="evt_5", sequence=5, body=document(order_version=5)))
    await receiver.kill()
    await receiver.start()
    assert await receiver.gets(Callback(event_id="evt_5", sequence=5)) == "repeated evt_5 missing 4"
    behind = Callback(event_id="evt_4", sequence=4, body=document(order_version=4))
    assert await receiver.gets(behind) == "outdated evt_4"


async def test_many_at_once_are_each_taken_once(receiver):
    sent = [Callback(event_id=f"evt_{n % 10}", sequence=n % 10 + 1).raw() for n in range(40)]
    statuses = await asyncio.gather(*(receiver.answers(*each) for each in sent))
    lines = [(await receiver.line()).split()[0] for _ in sent]
    assert (set(statuses), lines.count("applied"), lines.count("repeated")) == ({204}, 10, 30)


async def answer_to(receiver, request):
    url = URL(receiver.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request.encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_what_is_no_callback_is_refused(receiver):
    headers, body = Callback().raw()
    assert await answer_to(receiver, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n") == 413
    assert await receiver.answers({}, b"", method="GET") in {405, 501}
    assert await receiver.answers(headers | {"notifier-sequence": "many"}, body) == 400
    assert await receiver.gets(Callback()) == "applied evt_1"


@pytest.mark.parametrize("secret", ["", "whsec_"])
async def test_a_receiver_without_a_secret_does_not_start(idle, secret):
    process = await asyncio.create_subprocess_exec(
        *command(idle.language),
        env={"NOTIFIER_SECRET": secret, "PORT": "0", "RECEIVER_STORE": str(idle.store)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() != 0


async def test_a_line_that_a_crash_cut_short_does_not_stop_the_node_receiver(tmp_path):
    receiver = Receiver("node", tmp_path / "store")
    await receiver.start()
    await receiver.gets(Callback())
    await receiver.kill()
    with receiver.store.open("ab") as file:
        file.write(b'{"id":"evt_2","subscr')
    await receiver.start()
    assert await receiver.gets(Callback()) == "repeated evt_1"
    assert await receiver.gets(Callback(event_id="evt_2", sequence=2)) == "applied evt_2"
    await receiver.kill()
    await receiver.start()
    assert await receiver.gets(Callback(event_id="evt_2", sequence=2)) == "repeated evt_2"
    await receiver.kill()
