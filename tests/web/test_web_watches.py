from urllib.parse import quote

import pytest

from notifier.config.model import Config
from notifier.domain.cadence.plan import Bound, Outlook, Share, Wait
from notifier.domain.cadence.situation import Kind, Situation
from notifier.domain.order import Source, WatchState
from notifier.web.documents import outlook_document
from notifier.web.wording import line, reckoned
from support.clock import START

WATCH = {"order_id": "JP1"}


async def test_a_new_watch_is_created_and_an_old_one_merged(api):
    first = await api.post("/v1/watches", {"order_id": "JP1", "tags": ["a"]})
    again = await api.post("/v1/watches", {"order_id": "jp1", "tags": ["b"], "routing_id": "cust-1"})
    assert (first.status, again.status) == (201, 200)
    assert first.body["state"] == "active"
    assert first.body["next_poll_why"] == "registered"
    assert first.body["next_poll_at"] == "2026-03-02T06:15:00.000Z"
    assert again.body["order_id"] == "JP1"
    assert again.body["tags"] == ["a", "b"]
    assert again.body["routing_id"] == "cust-1"


async def test_every_member_of_a_watch_reads_back(api):
    body = {
        "order_id": "JP1",
        "account": "shop",
        "sources": ["order"],
        "routing_id": "cust-1",
        "expect": {"amount": "386", "effective_amount": "380.5", "currency": "INR"},
        "tags": ["vip"],
        "until": "2026-04-01T05:30:00.1234+05:30",
        "initial": "silent",
    }
    await api.post("/v1/watches", body)
    read = (await api.get("/v1/watches/JP1")).body
    assert read["expect"] == {"amount": "386.00", "effective_amount": "380.50", "currency": "INR"}
    assert read["until"] == "2026-04-01T00:00:00.123Z"
    assert (read["initial"], read["tags"], read["version"], read["status"]) == ("silent", ["vip"], 0, None)


@pytest.mark.parametrize(
    ("member", "field", "code"),
    [
        ({"order_id": ""}, "order_id", "length"),
        ({"order_id": ".."}, "order_id", "reserved"),
        ({"order_id": "a\nb"}, "order_id", "control_character"),
        ({"order_id": 7}, "order_id", "invalid"),
        ({"expect": {"amount": 386.0, "currency": "INR"}}, "expect.amount", "invalid"),
        ({"expect": {"amount": 386, "currency": "INR"}}, "expect.amount", "invalid"),
        ({"expect": {"amount": "3.861", "currency": "INR"}}, "expect.amount", "invalid"),
        ({"expect": {"amount": "-1", "currency": "INR"}}, "expect.amount", "invalid"),
        ({"expect": {"amount": "1e3", "currency": "INR"}}, "expect.amount", "invalid"),
        ({"expect": {"amount": "386.00", "currency": "inr"}}, "expect.currency", "invalid"),
        ({"expect": {"amount": "386.00"}}, "expect.currency", "missing"),
        ({"expect": {"currency": "INR"}}, "expect.amount", "missing"),
        ({"expect": {"amount": "1", "currency": "INR", "tax": "1"}}, "expect.tax", "unknown"),
        ({"tags": ["t"] * 21}, "tags", "invalid"),
        ({"sources": ["hypercredit"]}, "sources", "unsupported"),
        ({"sources": ["order", "hypercredit"]}, "sources", "unsupported"),
        ({"sources": ["order", "mandate"]}, "mandate_id", "missing"),
        ({"sources": ["loans"]}, "sources.0", "invalid"),
        ({"sources": []}, "sources", "invalid"),
        ({"until": "2026-03-02T06:15:00Z"}, "until", "past"),
        ({"until": "2026-04-01T00:00:00"}, "until", "invalid"),
        ({"until": 1_800_000_000}, "until", "invalid"),
        ({"initial": "loud"}, "initial", "invalid"),
        ({"routing_id": "a\r\nx: y"}, "routing_id", "invalid"),
        ({"colour": "red"}, "colour", "unknown"),
        ({"account": "other"}, "account", "account_unknown"),
        ({"notify": [{"channel": "webhook", "target": "http://x", "events": ["*"]}]}, "notify.0.target", "target"),
        ({"notify": [{"channel": "webhook", "events": ["*"]}]}, "notify.0.target", "missing"),
    ],
)  # fmt: skip
async def test_a_bad_member_is_refused_by_name(api, member, field, code):
    answer = await api.post("/v1/watches", WATCH | member)
    assert answer.status == 422
    assert answer.fields == {field: code}
    assert (await api.get("/v1/watches")).body["items"] == []


async def test_a_float_for_an_amount_is_told_to_be_text(api):
    answer = await api.post("/v1/watches", WATCH | {"expect": {"amount": 386.0, "currency": "INR"}})
    assert 'as text such as "386.00"' in answer.body["errors"][0]["message"]


async def test_all_bad_members_are_told_at_once(api):
    answer = await api.post("/v1/watches", {"tags": [""], "initial": 3, "what": 1})
    assert answer.fields == {
        "order_id": "missing",
        "tags.0": "invalid",
        "initial": "invalid",
        "what": "unknown",
    }
    assert answer.body["code"] == "invalid"


IDS = [
    "a/b",
    "ü",
    "two words",
    "100%",
    "a%2Fb",
    "a+b",
    "a?b=c",
    "a#b",
    "{x}",
    "a:b;c,d",
    "bulk",
    "…",
    "%FF",
    "...",
]


@pytest.mark.parametrize("order_id", IDS)
async def test_ids_in_paths_are_decoded_exactly_once(api, order_id):
    path = f"/v1/watches/{quote(order_id, safe='')}"
    assert (await api.post("/v1/watches", {"order_id": order_id})).status == 201
    assert (await api.get(path)).body["order_id"] == order_id
    assert (await api.post(f"{path}/poll")).body["order_id"] == order_id
    assert (await api.get(f"/v1/orders/{quote(order_id, safe='')}/timeline")).body["order_id"] == order_id
    assert (await api.delete(path)).status == 204


async def test_other_spellings_of_an_encoding_mean_the_same_id(api):
    await api.post("/v1/watches", {"order_id": "A/b"})
    assert (await api.get("/v1/watches/%61%2fB")).body["order_id"] == "A/b"


@pytest.mark.parametrize("segment", ["%FF", "a%00b", "a" * 129])
async def test_an_id_that_cannot_be_is_refused(api, segment):
    assert (await api.get(f"/v1/watches/{segment}")).status == 422


async def test_a_watch_that_is_not_there_is_not_found(api):
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/poll")]:
        assert (await api.call(method, f"/v1/watches/nope{path}")).status == 404
    assert (await api.patch("/v1/watches/nope", {"tags": []})).status == 404


async def test_a_watch_is_paused_and_made_active_again(api):
    await api.post("/v1/watches", WATCH)
    paused = await api.patch("/v1/watches/JP1", {"state": "paused"})
    assert (paused.status, paused.body["state"], paused.body["next_poll_at"]) == (200, "paused", None)
    active = await api.patch("/v1/watches/JP1", {"state": "active"})
    assert (active.body["state"], active.body["next_poll_at"] is not None) == ("active", True)


async def test_a_patch_changes_what_it_names_and_null_takes_away(api):
    given = {"tags": ["a"], "until": "2026-04-01T00:00:00Z", "expect": {"amount": "1.00", "currency": "INR"}}
    await api.post("/v1/watches", WATCH | given)
    assert (await api.patch("/v1/watches/JP1", {"tags": ["b", "c"]})).body["tags"] == ["b", "c"]
    bare = (await api.patch("/v1/watches/JP1", {"until": None, "expect": None})).body
    assert (bare["until"], bare["expect"], bare["tags"]) == (None, None, ["b", "c"])


@pytest.mark.parametrize(
    ("member", "field"),
    [
        ({"state": "settled"}, "state"),
        ({"order_id": "x"}, "order_id"),
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
    ],
)
async def test_a_patch_refuses_what_people_may_not_change(api, member, field):
    await api.post("/v1/watches", WATCH)
    answer = await api.patch("/v1/watches/JP1", member)
    assert (answer.status, set(answer.fields)) == (422, {field})


async def test_a_deleted_watch_is_gone(api):
    await api.post("/v1/watches", WATCH)
    assert (await api.delete("/v1/watches/JP1")).raw == b""
    assert (await api.get("/v1/watches/JP1")).status == 404
    assert (await api.post("/v1/watches", WATCH)).status == 201


async def test_a_poll_revives_a_settled_watch_and_wakes_the_poller(api, storage, clock):
    await api.post("/v1/watches", WATCH)
    async with storage.writing() as tx:
        await tx.end_watch(
            (await tx.watch("shop", "jp1")).id, WatchState.SETTLED, unless_asked_after=clock.now()
        )
    woken = storage.signals.looks.listener()
    await clock.advance(60)
    answer = await api.post("/v1/watches/JP1/poll")
    assert (answer.status, answer.body["state"]) == (202, "active")
    assert (answer.body["next_poll_at"], answer.body["next_poll_why"]) == (
        "2026-03-02T06:16:00.000Z",
        "asked",
    )
    assert woken.is_set()


async def test_a_poll_beyond_the_budget_is_refused_and_says_when_to_come_back(serve, services):
    api = await serve(services, may_ask=lambda account: 3.2 if account == "shop" else 0.0)
    await api.post("/v1/watches", WATCH)
    answer = await api.post("/v1/watches/JP1/poll")
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (429, "over_budget", "4")


async def test_a_watch_says_why_it_is_looked_at_next_when_it_is(serve, services):
    part = Share(
        situation=Situation(Source.ORDER, Kind.ORDER, "PENDING_VBV", "", "shop"),
        age_s=12.5,
        hazard_per_s=0.0234567,
        weight=1.0,
        regret_s=3.0,
    )
    found = Outlook(wait=Wait(11.25, 3600.0, Bound.PRICE), price_s=3.0, shares=(part,))
    api = await serve(services, outlook=lambda _: found)
    await api.post("/v1/watches", WATCH)
    told = (await api.get("/v1/watches/JP1")).body["next_poll"]
    assert told == {
        "price_s": 3.0,
        "wait_s": 11.25,
        "bound": "price",
        "stretch": 1.0,
        "parts": [
            {
                "situation": "order/order/PENDING_VBV/shop",
                "age_s": 12.5,
                "hazard_per_s": 0.02346,
                "weight": 1.0,
                "regret_s": 3.0,
            }
        ],
    }
    (entry,) = (await api.get("/v1/orders/JP1/timeline")).body["items"][1:]
    assert (entry["kind"], entry["outlook"]) == ("next_poll", told)
    assert line(entry, START).changes == (
        "cadence: 11.25 s after the look (by then the regret reaches the price of a request, 3 s)",
        "order/order/PENDING_VBV/shop: age 12.5 s, hazard 0.02346 a second, weight 1, regret 3 s",
    )


@pytest.mark.parametrize(
    ("bound", "stretch", "said"),
    [
        (Bound.FLOOR, 1.0, "60 s after the look (the shortest wait"),
        (Bound.CEILING, 1.0, "60 s after the look (the longest wait"),
        (
            Bound.CEILING,
            2.5,
            "60 s after the look times 2.5, since the budget is too small (the longest wait",
        ),
    ],
)
def test_each_bound_of_a_wait_is_said_in_words(bound, stretch, said):
    found = Outlook(wait=Wait(60.0, 60.0, bound), price_s=3.0, shares=(), stretch=stretch)
    (told,) = reckoned(outlook_document(found))
    assert told.startswith(f"cadence: {said}, though the regret ")


def test_nothing_is_said_of_a_wait_that_the_cadence_did_not_choose():
    assert reckoned(None) == ()


async def test_a_paused_watch_only_remembers_a_poll(api):
    await api.post("/v1/watches", WATCH)
    await api.patch("/v1/watches/JP1", {"state": "paused"})
    answer = await api.post("/v1/watches/JP1/poll")
    assert (answer.status, answer.body["state"], answer.body["next_poll_at"]) == (202, "paused", None)


async def test_lists_page_to_the_end_without_loss(api):
    for number in range(23):
        await api.post("/v1/watches", {"order_id": f"o{number}", "tags": ["odd" if number % 2 else "even"]})
    assert [each["order_id"] for each in await api.all("/v1/watches", 5)] == [f"o{n}" for n in range(23)]
    assert len(await api.all("/v1/watches?tag=odd", 3)) == 11
    assert len((await api.get("/v1/watches?limit=23")).body["items"]) == 23


async def test_lists_are_filtered_by_state_tag_and_status(api):
    await api.post("/v1/watches", {"order_id": "a", "tags": ["x"]})
    await api.post("/v1/watches", {"order_id": "b"})
    await api.patch("/v1/watches/b", {"state": "paused"})
    for query, ids in [
        ("state=paused", ["b"]),
        ("tag=x", ["a"]),
        ("status=CHARGED", []),
        ("account=shop", ["a", "b"]),
    ]:
        assert [each["order_id"] for each in (await api.get(f"/v1/watches?{query}")).body["items"]] == ids


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("cursor=zzz", "cursor"),
        ("cursor=c3Vic2NyaXB0aW9uczox", "cursor"), ("state=odd", "state"), ("page=2", "page"),
        ("limit=1&limit=2", "limit"), ("account=other", "account"),
    ],
)  # fmt: skip
async def test_bad_query_parameters_are_refused_by_name(api, query, field):
    answer = await api.get(f"/v1/watches?{query}")
    assert (answer.status, set(answer.fields)) == (422, {field})


HOOK = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["order.*"]}


async def test_notify_binds_a_subscription_to_the_order_and_shows_its_secret_once(api):
    first = await api.post("/v1/watches", WATCH | {"notify": [HOOK]})
    (told,) = first.body["notify"]
    assert told["secret"].startswith("whsec_")
    again = await api.post("/v1/watches", {"order_id": "jp1", "notify": [HOOK, HOOK]})
    assert again.body["notify"] == [{"id": told["id"]}, {"id": told["id"]}]
    (only,) = (await api.get("/v1/subscriptions")).body["items"]
    assert (only["id"], only["order_id"]) == (told["id"], "jp1")
    assert b"whsec_" not in (await api.get("/v1/subscriptions")).raw


async def test_another_notify_is_another_subscription(api):
    await api.post("/v1/watches", WATCH | {"notify": [HOOK]})
    for other in ({"target": "https://shop.example/else"}, {"events": ["refund.*"]}):
        await api.post("/v1/watches", WATCH | {"notify": [HOOK | other]})
    await api.post("/v1/watches", {"order_id": "JP2", "notify": [HOOK]})
    assert len((await api.get("/v1/subscriptions")).body["items"]) == 4


async def test_secret_targets_that_look_alike_are_told_apart(api):
    slack = {"channel": "slack", "events": ["order.*"]}
    for path in ("one", "two", "one"):
        target = f"https://hooks.slack.example/{path}"
        answer = await api.post("/v1/watches", WATCH | {"notify": [slack | {"target": target}]})
        assert "secret" not in answer.body["notify"][0]
    assert len((await api.get("/v1/subscriptions")).body["items"]) == 2


async def test_a_notify_that_clashes_leaves_no_watch_behind(api):
    await api.post("/v1/subscriptions", HOOK | {"name": "ops"})
    answer = await api.post("/v1/watches", WATCH | {"notify": [HOOK | {"name": "ops"}]})
    assert answer.status == 409
    assert (await api.get("/v1/watches/JP1")).status == 404


async def test_an_account_with_credit_is_asked_for_loans_and_mandates(serve, services):
    account = {"merchant_id": "m", "api_key_env": "KEY", "credit": {"api_key_env": "KEY"}}
    config = Config.model_validate({"accounts": {"shop": account}}, context={"KEY": "k"})
    api = await serve(services, config=config)
    body = {"order_id": "JP1", "sources": ["hypercredit", "mandate"], "mandate_id": "m1"}
    assert (await api.post("/v1/watches", body)).status == 201
    read = (await api.get("/v1/watches/JP1")).body
    assert (read["sources"], read["mandate_id"]) == (["hypercredit", "mandate"], "m1")
    again = await api.post("/v1/watches", {"order_id": "JP1"})
    assert again.body["sources"] == ["hypercredit", "mandate", "order"]
