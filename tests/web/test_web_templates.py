"""Templates over REST: off by default, tried before they are kept, and then as good as files."""

from dataclasses import replace

import pytest

from notifier.channels.handed.cells import Cells
from notifier.config.model import Config

GOOD = {"channel": "webhook", "parts": {"json": '{"id": {{ event.id | json }}}'}}
PATH = "/v1/templates/mine"


@pytest.fixture
async def api(serve, services):
    cells = Cells(count=1)
    config = Config.model_validate({"templates": {"over_rest": True}})
    files = {"webhook": ("default", "juspay")}
    yield await serve(
        replace(services, config=config, cells=cells, template_files=lambda name: files.get(name, ()))
    )
    await cells.close()


async def put(api, path=PATH, **members):
    return await api.call("PUT", path, GOOD | members)


async def test_it_is_off_unless_it_is_switched_on(serve, services):
    closed = await serve(services)
    answer = await closed.call("PUT", PATH, GOOD)

    assert (answer.status, answer.body["errors"][0]["code"]) == (422, "unsupported")
    assert "over_rest" in answer.body["detail"]
    assert (await closed.get("/v1/templates")).body["items"] == []


async def test_a_template_is_kept_shown_replaced_and_forgotten(api, storage):
    made = await put(api)
    assert (made.status, made.body["parts"], made.body["account"]) == (201, GOOD["parts"], "shop")
    again = await put(api, parts={"json": "{{ event | json }}"})
    assert again.status == 200
    assert (await api.get(PATH)).body == again.body
    listed = (await api.get("/v1/templates")).body["items"]
    assert listed == [{name: value for name, value in again.body.items() if name != "parts"}]
    async with storage.reading() as tx:
        (kept,) = await tx.handed_templates()
    assert (kept.name, dict(kept.parts)) == ("mine", {"json": "{{ event | json }}"})

    assert (await api.delete(PATH)).status == 204
    assert (await api.get(PATH)).status == (await api.delete(PATH)).status == 404
    async with storage.reading() as tx:
        assert await tx.handed_templates() == []


async def test_what_cannot_be_a_template_is_refused_by_its_member(api):
    for path, member, field, code in (
        ("/v1/templates/Mine", {}, "name", "name"),
        (PATH, {"channel": "pigeon"}, "channel", "unknown_channel"),
        (PATH, {"parts": {}}, "parts", "invalid"),
        (PATH, {"parts": {"html": "x"}}, "parts", "parts"),
        (PATH, {"channel": "email"}, "parts", "parts"),
        (PATH, {"parts": {"json": "x" * 65_537}}, "parts.json", "invalid"),
        (PATH, {"parts": {"json": "{"}}, "parts", "template"),
        (PATH, {"parts": {"json": '{{ data.order["status"] | json }}'}}, "parts", "template"),
    ):
        answer = await put(api, path, **member)
        assert (answer.status, answer.fields) == (422, {field: code}), (path, member)
    assert (await put(api, "/v1/templates/juspay")).status == 409
    assert (await api.get("/v1/templates")).body["items"] == []


async def test_a_hostile_one_is_refused_with_the_reason(api):
    for source in (
        "{{ 'x' * 2000000000 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    ):
        answer = await put(api, parts={"json": source})
        assert (answer.status, answer.fields) == (422, {"parts": "limit"})
        assert "order.new" in answer.body["detail"]
    assert (await put(api)).status == 201


async def test_a_subscription_may_name_it_from_then_on(api, services):
    services.channels["webhook"].broken_templates.add("mine")
    hook = {"channel": "webhook", "target": "https://shop.example/hooks", "events": ["*"], "template": "mine"}
    assert (await api.post("/v1/subscriptions", hook)).fields == {"template": "template"}

    await put(api)
    made = await api.post("/v1/subscriptions", hook)
    assert (made.status, made.body["template"]) == (201, "mine")
