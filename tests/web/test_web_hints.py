"""The upstream's webhooks over HTTP: who may send them, every form of them, and what they come to."""

import gzip
import json
from base64 import b64encode
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import product

import msgspec
import pytest
import structlog
from hint_kit import (
    PASSWORD,
    PERSONAL,
    USER,
    a_webhook,
    basic,
    hooked,
    of_loan,
    of_mandate,
    of_notification,
    of_order,
    of_refund,
    of_txn,
)

from notifier.config.model import Config
from notifier.domain.cadence.plan import Why
from notifier.domain.instant import to_ms
from notifier.domain.order import Source, WatchState, order_key, parse_order_id
from notifier.source.envelope import opened
from notifier.source.keys import keys_of
from notifier.storage.looking import LookOutcome
from notifier.storage.records import Registration
from notifier.web.hints import MAX_BODY_BYTES
from support.envelope import body as enveloped
from support.envelope import encrypted, inner, signed
from support.keys import key, written

ANY = "/v1/hints/juspay"
SHOP = f"{ANY}/shop"


@pytest.fixture
def hinted(services):
    return replace(services, config=hooked("shop"))


@pytest.fixture
async def hooks(serve, hinted):
    return await serve(hinted)


def hint(api, body=None, *, path=SHOP, headers=None, data=None):
    return api.post(path, body, data=data, headers=basic() | (headers or {}), key=None)


async def watch(services, order_id="OW1", **wish):
    async with services.storage.writing() as tx:
        registration = Registration(account="shop", order_id=parse_order_id(order_id), **wish)
        return (await tx.register(registration, now=services.clock.now()))[0]


async def later(services, seconds=60.0):
    """Let every look be done with, so that only a hint can make one due."""
    async with services.storage.writing() as tx:
        for look in await tx.due_looks("shop", now=services.clock.now(), limit=100):
            await tx.end_watch(look.watch_id, WatchState.SETTLED, unless_asked_after=services.clock.now())
    await services.clock.advance(seconds)


async def due(services):
    async with services.storage.reading() as tx:
        looks = await tx.due_looks("shop", now=services.clock.now(), limit=100)
    return {(look.order_id, look.source) for look in looks}


async def watched(services, order_id):
    async with services.storage.reading() as tx:
        return await tx.watch("shop", order_key(order_id))


def counted(services, outcome, account="shop"):
    labels = {"account": account, "outcome": outcome}
    return services.metrics.registry.get_sample_value("notifier_hints_total", labels)


async def test_a_webhook_of_a_watched_order_makes_it_due_at_once(hooks, hinted):
    await watch(hinted)
    await later(hinted)
    answered = await hint(hooks, of_order())
    assert (answered.status, answered.body) == (200, {"outcome": "polled"})
    assert await due(hinted) == {("OW1", Source.ORDER)}
    assert counted(hinted, "polled") == 1


async def test_with_one_account_the_path_may_leave_it_out(hooks, hinted):
    await watch(hinted)
    assert (await hint(hooks, of_order(), path=ANY)).body == {"outcome": "polled"}


async def test_an_order_is_found_without_regard_to_case(hooks, hinted):
    await watch(hinted, "Ow1")
    assert (await hint(hooks, of_order(order_id="oW1"))).body == {"outcome": "polled"}


_WRONG = [
    {},
    {"Authorization": "Bearer operator-key-1"},
    {"Authorization": "Basic"},
    {"Authorization": "Basic !!!"},
    {"Authorization": f"Basic {b64encode(USER.encode()).decode()}"},
    {"Authorization": f"Digest {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"},
    *(
        basic(user, password)
        for user, password in product((USER, "", USER.upper()), (PASSWORD, "", PASSWORD + "x", "hook-pass"))
        if (user, password) != (USER, PASSWORD)
    ),
]


@pytest.mark.parametrize("headers", _WRONG, ids=str)
async def test_only_both_right_parts_are_let_in(hooks, hinted, headers):
    await watch(hinted)
    await later(hinted)
    answered = await hooks.post(SHOP, of_order(), headers=headers, key=None)
    assert answered.status == 401
    assert answered.headers["WWW-Authenticate"].startswith("Basic ")
    assert await due(hinted) == set()
    assert counted(hinted, "refused") == 1


async def test_nobody_learns_which_accounts_there_are(serve, services):
    config = hooked("shop", without=("bare",))
    api = await serve(services, config=config, accounts={"shop": False, "bare": False})
    answers = [await hint(api, of_order(), path=path) for path in (f"{ANY}/bare", f"{ANY}/nobody", ANY)]
    answers += [await api.post(SHOP, of_order(), headers=basic(password="wrong"), key=None)]
    told = [{name: text for name, text in answer.body.items() if name != "request_id"} for answer in answers]
    assert [answer.status for answer in answers] == [401] * 4
    assert told == [told[0]] * 4
    assert len({answer.headers["WWW-Authenticate"] for answer in answers}) == 1
    assert counted(services, "refused", account="") == 3
    assert counted(services, "refused", account="nobody") is None


async def test_an_account_without_hints_is_closed_to_empty_credentials(serve, services):
    api = await serve(services, config=hooked(without=("shop",)))
    assert (await api.post(SHOP, of_order(), headers=basic("", ""), key=None)).status == 401


async def test_each_account_has_credentials_and_orders_of_its_own(serve, services):
    await watch(services)
    config = hooked("shop", "other")
    api = await serve(services, config=config, accounts={"shop": False, "other": False})
    assert (await hint(api, of_order(), path=f"{ANY}/other")).body == {"outcome": "unknown"}
    assert (await hint(api, of_order(), path=SHOP)).body == {"outcome": "polled"}


async def test_another_method_is_told_nothing_without_a_key(hooks):
    assert (await hooks.get(SHOP, headers=basic(), key=None)).status == 401
    assert (await hooks.get(SHOP)).status == 405


@pytest.mark.parametrize(
    "body",
    [of_order(), of_order("ORDER_REFUNDED"), of_refund(), of_txn(), of_mandate(), of_loan(), of_order(mandate={}),
     a_webhook("TXN_CREATED", {"txn": {"order": {"order_id": "OW1"}}}), of_mandate("FILTERED"), of_notification()],
    ids=lambda body: f"{body['event_name']}-{','.join(body['content'])}",
)  # fmt: skip
async def test_every_kind_of_event_finds_its_order(hooks, hinted, body):
    await watch(hinted, mandate_id="mnd1")
    await later(hinted)
    assert (await hint(hooks, body)).body == {"outcome": "polled"}
    assert await due(hinted) == {("OW1", Source.ORDER)}


async def test_a_mandate_finds_every_order_that_was_registered_with_it(hooks, hinted):
    for name, mandate_id in {"OW1": None, "OW2": "mnd1", "OW3": "mnd1", "OW4": "mnd2"}.items():
        await watch(hinted, name, mandate_id=mandate_id)
    await later(hinted)
    assert (await hint(hooks, of_mandate("OW1"))).body == {"outcome": "polled"}
    assert {order_id for order_id, _ in await due(hinted)} == {"OW1", "OW2", "OW3"}
    assert (await hint(hooks, of_notification("mnd9"))).body == {"outcome": "unknown"}


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (of_order(), Source.ORDER),
        (of_loan(), Source.HYPERCREDIT),
        (of_mandate(), Source.MANDATE),
        (of_notification(), Source.MANDATE),
    ],
    ids=["order", "loan", "mandate", "notification"],
)
async def test_an_event_asks_the_source_that_knows_most_of_it(hooks, hinted, body, asked):
    await watch(hinted, sources=frozenset(Source), mandate_id="mnd1")
    async with hinted.storage.writing() as tx:
        hour = hinted.clock.now().replace(hour=23)
        for look in await tx.due_looks("shop", now=hinted.clock.now(), limit=9):
            await tx.record_looks([_done(look, hour)], now=hinted.clock.now())
    await hint(hooks, body)
    assert await due(hinted) == {("OW1", asked)}


def _done(look, next_poll_at):
    return LookOutcome(
        look_id=look.id,
        started_ms=look.registered_ms,
        next_poll_ms=to_ms(next_poll_at),
        why=Why.CADENCE,
        last_polled_ms=look.registered_ms,
    )


@pytest.mark.parametrize("state", [WatchState.SETTLED, WatchState.NOT_FOUND, WatchState.ABANDONED])
async def test_an_ended_watch_comes_alive_again(hooks, hinted, state):
    kept = await watch(hinted)
    async with hinted.storage.writing() as tx:
        await tx.end_watch(kept.id, state, unless_asked_after=hinted.clock.now())
    assert (await hint(hooks, of_order())).body == {"outcome": "polled"}
    assert (await watched(hinted, "OW1")).state is WatchState.ACTIVE


async def test_a_paused_watch_only_remembers(hooks, hinted):
    kept = await watch(hinted)
    async with hinted.storage.writing() as tx:
        await tx.amend_watch(replace(kept, state=WatchState.PAUSED), now=hinted.clock.now())
    assert (await hint(hooks, of_order())).body == {"outcome": "remembered"}
    assert await due(hinted) == set()
    assert (await watched(hinted, "OW1")).state is WatchState.PAUSED
    assert counted(hinted, "remembered") == 1


async def test_an_order_that_nobody_registered_is_unknown(hooks, hinted):
    answered = await hint(hooks, of_order(order_id="OW9"))
    assert (answered.status, answered.body) == (200, {"outcome": "unknown"})
    assert await due(hinted) == set()
    assert counted(hinted, "unknown") == 1


class TestRegisteringUnknown:
    @pytest.fixture
    def hinted(self, services):
        return replace(services, config=hooked("shop", register_unknown=True))

    async def test_an_unknown_order_becomes_a_watch_like_any_other(self, hooks, hinted):
        assert (await hint(hooks, of_order(order_id="Ow 9"))).body == {"outcome": "registered"}
        kept = await watched(hinted, "ow 9")
        assert (kept.order_id, kept.sources, kept.status) == ("Ow 9", {Source.ORDER}, None)
        assert await due(hinted) == {("Ow 9", Source.ORDER)}
        assert (await hint(hooks, of_order(order_id="OW 9"))).body == {"outcome": "polled"}
        assert counted(hinted, "registered") == 1

    @pytest.mark.parametrize(
        ("has_credit", "of", "sources"),
        [
            (True, of_loan, {Source.ORDER, Source.HYPERCREDIT}),
            (False, of_loan, {Source.ORDER}),
            (True, of_order, {Source.ORDER}),
        ],
    )
    async def test_a_loans_order_is_asked_of_hypercredit_too_where_there_is_one(
        self, serve, services, has_credit, of, sources
    ):
        hinted = replace(services, config=hooked("shop", register_unknown=True, credit=has_credit))
        assert (await hint(await serve(hinted), of(order_id="OW9"))).body == {"outcome": "registered"}
        assert (await watched(hinted, "OW9")).sources == sources
        assert await due(hinted) == {("OW9", source) for source in sources}

    @pytest.mark.parametrize("order_id", ["FILTERED", "..", "x" * 129, None, "a\nb"])
    async def test_what_no_order_can_be_called_is_ignored(self, hooks, hinted, order_id):
        assert (await hint(hooks, of_order(order_id=order_id))).body == {"outcome": "ignored"}
        assert (await hooks.get("/v1/watches")).body["items"] == []

    async def test_an_order_that_somebody_removed_stays_removed(self, hooks, hinted):
        await watch(hinted)
        await hooks.delete("/v1/watches/OW1")
        assert (await hint(hooks, of_order())).body == {"outcome": "unknown"}
        assert (await hooks.get("/v1/watches/OW1")).status == 404

    async def test_a_mandate_that_names_no_order_registers_none(self, hooks):
        assert (await hint(hooks, of_notification())).body == {"outcome": "unknown"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable"),
        (b"<html>hello</html>", "unreadable"),
        (b'{"content": {"order": {"order_id": "OW1"', "unreadable"),
        (b"order_id=OW1&status=CHARGED", "unreadable"),
        (b'{"content":' * 30_000, "unreadable"),
        (json.dumps(a_webhook("TOKEN_STATUS_UPDATED", {"token": {"status": "ACTIVE"}})).encode(), "no_order"),
        (json.dumps(of_order(order_id="x" * 200)).encode(), "bad_id"),
        (b" " * (4 * MAX_BODY_BYTES), "too_large"),
    ],
    ids=["empty", "html", "cut", "form", "deep", "no order", "bad id", "large"],
)
async def test_a_body_that_is_no_hint_is_ignored_with_one_line_and_still_a_200(hooks, hinted, data, reason):
    with structlog.testing.capture_logs() as lines:
        answered = await hint(hooks, data=BytesIO(data))
    assert (answered.status, answered.body) == (200, {"outcome": "ignored"})
    told = [line for line in lines if line["event"] != "request.answered"]
    assert told == [{"event": "hint.ignored", "log_level": "info", "account": "shop", "reason": reason}]
    assert counted(hinted, "ignored") == 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/octet-stream", "odd", "application/jose"]
)
async def test_a_body_is_read_whatever_it_calls_itself(hooks, hinted, content_type):
    await watch(hinted)
    assert (await hint(hooks, of_order(), headers={"Content-Type": content_type})).body == {
        "outcome": "polled"
    }


async def test_a_query_is_not_looked_at(hooks, hinted):
    await watch(hinted)
    assert (await hint(hooks, of_order(), path=f"{SHOP}?version=2&account=other")).body == {
        "outcome": "polled"
    }


async def test_a_compressed_body_is_read_and_a_bomb_or_rubbish_is_ignored(hooks, hinted):
    await watch(hinted)
    compressed = {"Content-Encoding": "gzip"}
    body = msgspec.json.encode(of_order())
    assert (await hint(hooks, data=gzip.compress(body), headers=compressed)).body == {"outcome": "polled"}
    bomb = gzip.compress(b" " * 40_000_000)
    assert (await hint(hooks, data=bomb, headers=compressed)).body == {"outcome": "ignored"}
    assert (await hint(hooks, data=b"rubbish", headers=compressed)).body == {"outcome": "ignored"}


async def test_a_database_out_of_reach_makes_the_upstream_send_it_again(serve, hinted, failing):
    api = await serve(hinted, storage=failing)
    assert (await hint(api, of_order())).status == 503


class TestEncrypted:
    """`{"JWT": ...}`: signed by the upstream, encrypted for us."""

    @pytest.fixture
    def hinted(self, services, tmp_path):
        return replace(services, config=hooked("shop"), openers={"shop": self.opener(written(tmp_path))})

    @staticmethod
    def opener(jwe):
        members = {"merchant_id": "m", "api_key_env": "K", **jwe}
        account = Config.model_validate({"accounts": {"shop": members}}, context={"K": "k"}).accounts["shop"]
        return partial(opened, keys=keys_of("shop", account))

    @pytest.mark.parametrize("form", ["A", "B", "bare", "text"])
    @pytest.mark.parametrize("algorithm", ["RSA-OAEP", "RSA-OAEP-256"])
    @pytest.mark.parametrize("inside", ["A", "compact"])
    async def test_every_form_of_the_envelope_is_opened(self, hooks, hinted, form, algorithm, inside):
        await watch(hinted)
        parts = encrypted(inner(signed(msgspec.json.encode(of_order())), inside), alg=algorithm)
        assert (await hint(hooks, data=enveloped(parts, form))).body == {"outcome": "polled"}

    async def test_a_plain_body_is_taken_beside(self, hooks, hinted):
        await watch(hinted)
        assert (await hint(hooks, of_order())).body == {"outcome": "polled"}

    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            ({"by": key("stranger")}, "signature"),
            ({"alg": "none"}, "algorithm"),
            ({"kid": "another"}, "unknown_key"),
        ],
    )
    async def test_one_that_cannot_be_trusted_is_ignored(self, hooks, hinted, damage, reason):
        await watch(hinted)
        await later(hinted)
        parts = encrypted(inner(signed(msgspec.json.encode(of_order()), **damage)))
        with structlog.testing.capture_logs() as lines:
            answered = await hint(hooks, data=enveloped(parts, "B"))
        assert (answered.status, answered.body) == (200, {"outcome": "ignored"})
        assert [line["reason"] for line in lines if line["event"] == "hint.ignored"] == [reason]
        assert await due(hinted) == set()

    async def test_without_keys_it_is_ignored(self, serve, hinted):
        api = await serve(hinted, openers={"shop": self.opener({})})
        data = enveloped(encrypted(inner(signed(msgspec.json.encode(of_order())))), "B")
        with structlog.testing.capture_logs() as lines:
            assert (await hint(api, data=data)).body == {"outcome": "ignored"}
        assert [line["reason"] for line in lines if line["event"] == "hint.ignored"] == ["unknown_key"]


async def test_nothing_that_a_webhook_says_is_kept_logged_or_answered(serve, services, tmp_path):
    hinted = replace(services, config=hooked("shop", register_unknown=True))
    api = await serve(hinted)
    bodies = [
        of_order(),
        of_refund(),
        of_mandate("OW2"),
        of_loan("OW3"),
        a_webhook(PERSONAL[2], {"x": PERSONAL[0]}),
    ]
    with structlog.testing.capture_logs() as lines:
        answers = [await hint(api, body) for body in (*bodies, *bodies)]
        answers += [await hint(api, data=PERSONAL[0].encode() + b"{")]
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    said = b"".join(answer.raw for answer in answers) + repr(lines).encode()
    assert b"OW3" in kept
    for secret in (*PERSONAL, "evt_V2_1f", USER, PASSWORD):
        assert secret.encode() not in kept
        assert secret.encode() not in said
    assert (await watched(hinted, "OW1")).status is None
