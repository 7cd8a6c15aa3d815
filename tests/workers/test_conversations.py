"""Messages that live on: handles outlive a restart, an incident's events go in order, mere figures give way."""

from dataclasses import replace

import pytest
from test_deliverer import _seen

from notifier.channels.egress import Egress
from notifier.channels.reach import Reach
from notifier.channels.slack.channel import SlackChannel
from notifier.config.secret import Secret
from notifier.config.told import Slack
from notifier.domain.alert.report import Reason as Why
from notifier.domain.alert.rule import Plain
from notifier.domain.alert.sample import sample_report
from notifier.domain.delivery import DeliveryState, Reason
from notifier.domain.event import Event, EventId
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Mode, Subscription, SubscriptionId
from notifier.storage.records import Lanes, SubscriptionSecrets
from notifier.storage.telling import delivery_ids, tell
from notifier.templating import Templates
from notifier.workers.deliverer import Deliverer
from notifier.workers.lines import DeliveryLimits
from notifier.workers.pace import Rate
from support.fakes import ACCEPTED, UNAVAILABLE
from support.slack import FakeSlack
from support.traffic import Traffic, an_alert

INCIDENTS = ("incident.*",)


async def _tell(house, why, *, incident="inc_0000000000000001", **members):
    """Tell one event of an incident, as the alerter does."""
    now, kind = house.clock.now(), "opened" if why is Why.OPENED else "updated"
    report = replace(sample_report("incident.opened", now), id=incident, reason=why, **members)
    async with house.storage.writing() as tx:
        n = await tx.raise_counter("shop", Subject.INCIDENT, incident)
        event = Event(
            id=EventId(f"evt_{incident}_{n}"),
            type=f"incident.{kind}",
            account="shop",
            livemode=False,
            subject=Subject.INCIDENT,
            subject_id=incident,
            observed_at=now,
            incident=report,
        )
        await tell(
            tx,
            [event],
            watch=None,
            snapshot=None,
            now=now,
            expires_after_s=99_999,
            lanes=Lanes(),
            new_id=delivery_ids(),
        )
    return event.id


async def _subscribe(house, target="C024BE91L", channel="slack", **members):
    subscription = Subscription(
        id=SubscriptionId("sub_oncall"),
        account="shop",
        name="oncall",
        channel=channel,
        target=target,
        events=INCIDENTS,
        **members,
    )
    async with house.storage.writing() as tx:
        secrets = SubscriptionSecrets(target=Secret(target))
        await tx.add_subscription(subscription, secrets, now=house.clock.now())


def _deliverer(house, channel, **given):
    limits = {"concurrency": 16, "longest_attempt_s": 15.0, "schedule": (5.0, 25.0), "lanes": house.lanes}
    return Deliverer(
        storage=house.storage,
        channels={channel.name: channel},
        limits=DeliveryLimits(**(limits | given)),
        telling=house.telling,
        clock=house.clock,
        metrics=house.metrics,
    )


async def _ends(house):
    async with house.storage.reading() as tx:
        page, _ = await tx.deliveries("shop", limit=100)
    return {view.event_id: (view.delivery.state, view.delivery.reason) for view in page}


@pytest.fixture
def talking(house):
    """A channel whose messages live on."""
    house.channel.name, house.channel.converses_about = "slack", frozenset({Subject.INCIDENT})
    return house.channel


async def test_a_handle_is_given_to_the_next_attempt_of_its_subject_even_after_a_restart(house, talking):
    await _subscribe(house)
    talking.outcomes.extend([ACCEPTED._replace(handle="first"), ACCEPTED._replace(handle="second")])
    for why in (Why.OPENED, Why.SCOPE_GREW, Why.RESOLVED):
        await _tell(house, why)
        async with house.running(_deliverer(house, talking)):
            await house.pass_time(2)
    assert [parcel.handle for parcel in talking.parcels] == [None, "first", "second"]


async def test_what_a_failed_attempt_has_done_is_known_to_its_next(house, talking):
    await _subscribe(house)
    talking.outcomes.append(UNAVAILABLE._replace(handle="posted"))
    await _tell(house, Why.OPENED)
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(10)
    assert [parcel.handle for parcel in talking.parcels] == [None, "posted"]


async def test_handles_are_of_one_incident_each_and_of_channels_that_ask_for_them(house, talking):
    await _subscribe(house)
    talking.usual = ACCEPTED._replace(handle="its own")
    for incident in ("inc_0000000000000001", "inc_0000000000000002", "inc_0000000000000001"):
        await _tell(house, Why.SCOPE_GREW, incident=incident)
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(5)
    assert sorted(str(parcel.handle) for parcel in talking.parcels) == ["None", "None", "its own"]
    talking.converses_about = frozenset()
    await _tell(house, Why.SCOPE_GREW)
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(5)
    assert talking.parcels[-1].handle is None


async def test_events_of_one_incident_go_in_order_and_others_do_not_wait(house, talking):
    await _subscribe(house)
    talking.outcomes.append(UNAVAILABLE)
    first = await _tell(house, Why.OPENED)
    async with house.running(_deliverer(house, talking)):
        second = await _tell(house, Why.SCOPE_GREW)
        other = await _tell(house, Why.OPENED, incident="inc_0000000000000002")
        await house.pass_time(1)
        assert [parcel.event_id for parcel in talking.parcels] == [first, other]
        await house.pass_time(10)
    assert [parcel.event_id for parcel in talking.parcels] == [first, other, first, second]


async def test_newer_figures_take_the_place_of_those_that_wait_and_of_nothing_else(house, talking):
    await _subscribe(house)
    told = [
        await _tell(house, why) for why in (Why.OPENED, Why.FIGURES, Why.SCOPE_GREW, Why.FIGURES, Why.FIGURES)
    ]
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(5)
    assert [parcel.event_id for parcel in talking.parcels] == [told[0], told[2], told[4]]
    ends = await _ends(house)
    assert ends[told[1]] == ends[told[3]] == (DeliveryState.SUPERSEDED, Reason.NEWER_STATE)


async def test_a_page_does_not_wait_for_figures_that_fail_before_it(house, talking):
    await _subscribe(house)
    opened = await _tell(house, Why.OPENED)
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(1)
        talking.outcomes.append(UNAVAILABLE)
        figures = await _tell(house, Why.FIGURES)
        await house.pass_time(1)
        page = await _tell(house, Why.SEVERITY_ROSE)
        await house.pass_time(1)
    assert [parcel.event_id for parcel in talking.parcels] == [opened, figures, page]
    assert (await _ends(house))[figures] == (DeliveryState.SUPERSEDED, Reason.NEWER_STATE)


@pytest.mark.parametrize(("mode", "told"), [(Mode.ALL, 4), (Mode.LATEST, 3)])
async def test_a_callback_is_owed_all_figures_unless_it_wants_the_latest_only(house, mode, told):
    await _subscribe(house, "https://shop.test/hook", channel="webhook", mode=mode)
    for why in (Why.OPENED, Why.FIGURES, Why.SCOPE_GREW, Why.FIGURES):
        await _tell(house, why)
    async with house.running(_deliverer(house, house.channel)):
        await house.pass_time(5)
    assert len(house.channel.parcels) == told


async def test_a_webhook_of_slack_is_owed_no_mere_figures(house):
    await _subscribe(house, "https://hooks.slack.com/***")
    opened = await _tell(house, Why.OPENED)
    await _tell(house, Why.FIGURES)
    assert (await _ends(house)).keys() == {opened}


async def test_a_page_goes_before_the_notices_that_wait_in_its_line(house, talking):
    await _subscribe(house, rate_per_s=1.0)
    figures = [await _tell(house, Why.FIGURES, incident=f"inc_000000000000000{n}") for n in range(4)]
    page = await _tell(house, Why.OPENED, incident="inc_000000000000000a")
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(8)
    assert [parcel.event_id for parcel in talking.parcels] == [page, *figures]


async def test_a_page_waits_for_one_turn_of_its_channel_however_many_others_name_it(house):
    """A page that waited behind all lines that rest for the same pace came a second later for each of them."""
    for number in range(5):
        await house.subscribe("order.*", name=f"orders{number}", target="https://chat.test/hook")
    for number in range(6):
        await _seen(house, f"OW{number}", "CHARGED")
    await _subscribe(house, "https://chat.test/hook", channel="webhook")
    async with house.running(_deliverer(house, house.channel, rates={"webhook": Rate(1.0)})):
        await house.pass_time(2.5, step=0.5)
        page = await _tell(house, Why.OPENED)
        await house.pass_time(2, step=0.5)
        assert page in [parcel.event_id for parcel in house.channel.parcels]
        sent = len(house.channel.parcels)
        await house.pass_time(5, step=0.5)
        assert len(house.channel.parcels) - sent == 5


async def test_a_page_of_a_pace_slower_than_its_lease_goes_at_its_turn(house):
    await house.subscribe("*", "incident.*", rate_per_s=0.004)
    await _seen(house, "OW1", "CHARGED")
    async with house.running(_deliverer(house, house.channel)):
        await house.pass_time(10)
        page = await _tell(house, Why.OPENED)
        await house.pass_time(600, step=5)
    assert [parcel.event_id for parcel in house.channel.parcels].count(page) == 1


async def test_a_forgotten_conversation_is_pruned(house, talking):
    await _subscribe(house)
    talking.usual = ACCEPTED._replace(handle="old")
    await _tell(house, Why.OPENED)
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(2)
    now = house.clock.now()
    async with house.storage.writing() as tx:
        await tx.prune(before=now, answers_before=now, now=now)
    await _tell(house, Why.SCOPE_GREW)
    async with house.running(_deliverer(house, talking)):
        await house.pass_time(2)
    assert [parcel.handle for parcel in talking.parcels] == [None, None]


async def test_from_event_to_slack_every_page_arrives_once_whatever_slack_does(house):
    fake = FakeSlack()
    await fake.start()
    config = Slack.model_validate({"bot_token_env": "T", "api_url": fake.url}, context={"T": "xoxb-token"})
    egress = Egress(Reach(allow_private=True))
    channel = SlackChannel(Templates(), egress, house.clock, config=config, timeout_s=5)
    await _subscribe(house)
    fake.next_answers.extend([429, "internal_error", "", 503, "invalid_blocks", "message_not_found"])
    for why in (Why.OPENED, Why.UNSTABLE, Why.SCOPE_GREW, Why.ACKNOWLEDGED, Why.RESOLVED):
        await _tell(house, why, acknowledged_at=house.clock.now())
    async with house.running(_deliverer(house, channel, schedule=(5.0,) * 9)):
        for _ in range(40):
            await house.pass_time(5)
            if DeliveryState.PENDING not in {state for state, _ in (await _ends(house)).values()}:
                break
    await fake.stop()
    await channel.close()
    states = [state for state, _ in (await _ends(house)).values()]
    assert sorted(states) == [DeliveryState.DELIVERED] * 5
    first, second = fake.posted
    assert (first.edits, first.thread, second.edits) == (0, [], 3)
    grown, acknowledged, _ = (told["text"] for told in second.thread)
    assert grown.startswith("It has grown")
    assert acknowledged.startswith("👀 Acknowledged")


async def test_a_restart_in_the_middle_of_an_incident_edits_the_same_message_on(house):
    fake = FakeSlack()
    await fake.start()
    config = Slack.model_validate({"bot_token_env": "T", "api_url": fake.url}, context={"T": "xoxb-token"})
    await _subscribe(house)
    traffic = Traffic(house)
    async with house.storage.writing() as tx:
        await tx.save_alert(an_alert(tiers=frozenset(), plain=Plain(window=5, rate=0.4, least=20)))
    await traffic.past(60)
    traffic.rates["RAZORPAY"] = 0.9
    for minutes, rate in ((4, 0.9), (3, 0.1), (20, 0.1)):
        # Each time another daemon, which knows of the last one only what is stored.
        traffic.rates["RAZORPAY"] = rate
        alerter = traffic.alerter()
        channel = SlackChannel(
            Templates(), Egress(Reach(allow_private=True)), house.clock, config=config, timeout_s=5
        )
        async with house.running(_deliverer(house, channel)):
            await traffic.lived(alerter, minutes)
            await house.pass_time(10)
        await channel.close()
    await fake.stop()
    (message,) = fake.posted
    assert message.payload["text"].startswith("🟢")
    assert message.edits >= 3
    assert sum("🟢" in each["text"] for each in message.thread) == 1
