import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from notifier.web import bulk

NDJSON = {"Content-Type": "application/x-ndjson"}


async def send(api, *lines, path="/v1/watches/bulk"):
    answer = await api.post(path, data="\n".join(lines).encode(), headers=NDJSON)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [msgspec.json.decode(line) for line in answer.raw.splitlines()]


def line(order_id, **members):
    return msgspec.json.encode({"order_id": order_id, **members}).decode()


async def test_each_line_gets_its_answer(api):
    answers = await send(api, line("a"), line("b"), "", line("A"))
    assert answers == [
        {"line": 1, "status": 201, "order_id": "a"},
        {"line": 2, "status": 201, "order_id": "b"},
        {"line": 4, "status": 200, "order_id": "a"},
    ]


async def test_a_bad_line_never_stops_the_others(api):
    await api.post("/v1/subscriptions", HOOK | {"name": "taken"})
    answers = await send(
        api,
        line("a"),
        "{not json",
        line("b", colour="red"),
        line("..", tags=[]),
        line("c", account="other"),
        line("d", until="2020-01-01T00:00:00Z"),
        line("e", notify=[HOOK | {"name": "taken"}]),
        line("f"),
        '{"order_id": "g", "expect": {"amount": 1.5, "currency": "INR"}}',
    )
    told = [(each["line"], each["status"], each["order_id"]) for each in answers]
    assert told == [
        (1, 201, "a"), (2, 400, None), (3, 422, "b"), (4, 422, ".."), (5, 422, "c"), (6, 422, "d"), (7, 409, "e"),
        (8, 201, "f"), (9, 422, "g"),
    ]  # fmt: skip
    assert all(("error" in each) == (each["status"] >= 400) for each in answers)
    assert "colour" in answers[2]["error"]
    assert [each["order_id"] for each in (await api.get("/v1/watches")).body["items"]] == ["a", "f"]


HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}


async def test_secrets_of_new_subscriptions_are_shown_on_their_line(api):
    (answer,) = await send(api, line("a", notify=[HOOK]))
    assert answer["notify"][0]["secret"].startswith("whsec_")


@pytest.mark.parametrize("length", [bulk.MAX_LINE_BYTES + 1, bulk.MAX_LINE_BYTES * 5 + 3])
@pytest.mark.parametrize("is_last", [True, False])
async def test_a_line_too_long_is_refused_alone(api, length, is_last):
    lines = [line("a"), "x" * length] + ([] if is_last else [line("b")])
    answers = await send(api, *lines)
    assert [each["status"] for each in answers] == [201, 413] + ([] if is_last else [201])
    assert answers[-1]["line"] == len(lines)


async def test_many_lines_stream_through(api):
    answers = await send(api, *(line(f"o{number}") for number in range(1000)))
    assert [each["line"] for each in answers] == list(range(1, 1001))
    assert {each["status"] for each in answers} == {201}


async def test_lines_past_the_most_are_refused(api, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_LINES", 3)
    answers = await send(api, *(line(f"o{number}") for number in range(6)))
    assert [(each["line"], each["status"]) for each in answers] == [(1, 201), (2, 201), (3, 201), (4, 413)]


async def test_answers_come_while_lines_are_still_sent(api):
    answered = asyncio.Event()

    async def lines():
        yield line("a").encode() + b"\n"
        await answered.wait()
        yield line("b").encode()

    headers = NDJSON | {"Authorization": "Bearer operator-key-1"}
    async with api._client.post("/v1/watches/bulk", data=lines(), headers=headers) as response:
        first = await response.content.readline()
        answered.set()
        rest = await response.content.read()
    assert msgspec.json.decode(first) == {"line": 1, "status": 201, "order_id": "a"}
    assert msgspec.json.decode(rest) == {"line": 2, "status": 201, "order_id": "b"}


async def test_the_account_is_checked_before_the_first_line(api):
    assert (await api.post("/v1/watches/bulk?account=other", data=b"{}", headers=NDJSON)).status == 422
    assert (await api.post("/v1/watches/bulk", data=b"{}")).status == 415


async def test_a_database_that_fails_is_told_line_by_line(serve, services, failing):
    api = await serve(services, storage=failing)
    answers = await send(api, line("a"), "{")
    assert [each["status"] for each in answers] == [503, 400]


async def test_a_caller_who_leaves_early_leaves_what_was_answered(api):
    async def lines():
        yield line("a").encode() + b"\n"
        await asyncio.Event().wait()

    headers = NDJSON | {"Authorization": "Bearer operator-key-1"}
    with capture_logs() as logged:
        async with api._client.post("/v1/watches/bulk", data=lines(), headers=headers) as response:
            await response.content.readline()
            response.close()
        assert (await api.get("/v1/watches/a")).status == 200
    assert not [each for each in logged if each["log_level"] == "error"]
