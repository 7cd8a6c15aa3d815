"""No target of the corpus is ever connected to, by any way in; and none of the fair ones is refused."""

import re
from itertools import cycle

import pytest
import pytest_asyncio
from channel_builders import a_slack, a_webhook
from channel_sinks import answers
from channel_targets import CONNECTS, CORPUS, PUBLIC, Answers, found, params
from yarl import URL

from notifier.channels.egress import Egress, Reply
from notifier.channels.reach import Reach
from notifier.domain.delivery import Reason, Verdict
from notifier.errors import InvalidValue

TYPED, NAMED, FAIR = (
    [target for group in CORPUS[kind].values() for target in group] for kind in ("typed", "named", "fair")
)


@pytest.fixture
def connects():
    CONNECTS.seen, CONNECTS.is_listening = [], True
    yield CONNECTS.seen
    CONNECTS.is_listening = False


@pytest_asyncio.fixture
async def open_egress():
    made: list[Egress] = []

    def make(reach: Reach, names: Answers) -> Egress:
        made.append(Egress(reach, resolver=names))
        return made[-1]

    yield make
    for egress in made:
        await egress.close()


@pytest.fixture
def guarded(open_egress, http_sink):
    """A guard as shipped, but that the port of a listener on this machine is allowed, too."""
    return open_egress(Reach(ports=frozenset({443, 8443, http_sink.port})), Answers())


async def post(egress: Egress, url: str):
    return await egress.post(url, body=b"{}", headers={}, timeout_s=2)


def at_port(target: str, port: int) -> str:
    return re.sub(r"^(\w+://[^/?#]*)", rf"\1:{port}", target, count=1)


def test_the_corpus_is_as_large_as_it_claims():
    assert len(TYPED) + len(NAMED) >= 500
    assert len(FAIR) >= 60
    assert not set(FAIR) & {*TYPED, *NAMED}


@pytest.mark.parametrize("target", params("typed"))
async def test_a_target_that_cannot_be_fair_is_refused_as_typed_and_never_called(
    guarded, connects, http_sink, target
):
    for url in (target, at_port(target, http_sink.port)):
        with pytest.raises(InvalidValue) as refused:
            guarded.check_url(url)
        outcome = await post(guarded, url)

        assert refused.value.problem.path == "target"
        assert refused.value.problem.code in {"url", "forbidden", "credentials"}
        assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.TARGET_FORBIDDEN)
    assert (connects, http_sink.got, guarded._pool._open) == ([], [], set())


@pytest.mark.parametrize("target", params("named"))
async def test_a_name_that_leads_inside_is_never_called(guarded, connects, http_sink, target):
    port = URL(target).port
    for url in (target, at_port(target, http_sink.port) if port == 443 else target):
        guarded.check_url(url)
        outcome = await post(guarded, url)

        assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.TARGET_FORBIDDEN)
        assert outcome.answer == b""
    assert (connects, http_sink.got) == ([], [])


@pytest.mark.parametrize("target", params("fair"))
async def test_a_fair_target_is_accepted_and_called_at_its_own_address(guarded, connects, target):
    guarded.check_url(target)
    outcome = await post(guarded, target)

    host = str(URL(target).host)
    expected = PUBLIC if re.search(r"[^0-9a-f.:]", host) or host.endswith(".example") else host
    assert connects == [(expected, URL(target).port)]
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.CONNECTION)


async def test_no_redirect_is_followed_wherever_it_leads(open_egress, connects, http_sink):
    egress = open_egress(Reach(hosts=frozenset({("127.0.0.1", http_sink.port)})), Answers())
    here = ("127.0.0.1", http_sink.port)
    for status, target in zip(cycle([301, 302, 303, 307, 308, 200]), TYPED + NAMED + FAIR, strict=False):
        place = re.sub(r"[\0-\x1f\x7f]", "", target)  # what no header can carry
        http_sink.answer = answers(status, "", Location=place, Refresh=f"0; url={place}")
        reply = await post(egress, http_sink.url)
        assert isinstance(reply, Reply), ascii(target)
        assert reply.status == status

    assert set(connects) == {here}
    assert len(http_sink.got) > 500
    assert {got.path for got in http_sink.got} == {"/hook"}


@pytest.mark.parametrize("make", [a_webhook, a_slack])
def test_a_channel_refuses_what_its_guard_refuses(make):
    channel = make(Reach())
    for target in TYPED:
        with pytest.raises(Exception, match=r"target|is |names |must |should |leads ") as refused:
            channel.check_target(target)
        assert isinstance(refused.value, InvalidValue), target


async def test_a_name_that_turns_inside_between_two_posts_is_stopped_at_the_second(
    open_egress, connects, http_sink, monkeypatch
):
    monkeypatch.setattr("notifier.channels.dialing._KNOWN_S", 0)
    names = Answers()
    egress = open_egress(Reach(ports=frozenset({http_sink.port})), names)
    url, reasons = f"https://turning.example:{http_sink.port}/", []
    for answer in ([PUBLIC], ["127.0.0.1"], [PUBLIC, "127.0.0.1"], [PUBLIC]):
        names.known["turning.example"] = answer
        reasons.append((await post(egress, url)).reason)

    forbidden, unreachable = Reason.TARGET_FORBIDDEN, Reason.CONNECTION
    assert reasons == [unreachable, forbidden, forbidden, unreachable]
    assert connects == [(PUBLIC, http_sink.port)] * 2
    assert http_sink.got == []


async def test_an_answer_that_turns_inside_between_check_and_connect_is_stopped_at_the_socket(
    open_egress, connects, http_sink
):
    class Turning(dict):
        def __getitem__(self, key):
            value = super().__getitem__(key)
            if key == "host":
                self["host"] = "127.0.0.1"
            return value

    class TurningNames(Answers):
        async def resolve(self, host, port=0, family=0):
            return [Turning(found(host, PUBLIC, port))]

    egress = open_egress(Reach(ports=frozenset({http_sink.port})), TurningNames())
    outcome = await post(egress, f"https://turning.example:{http_sink.port}/")

    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.TARGET_FORBIDDEN)
    assert (connects, http_sink.got) == ([], [])


async def test_a_connect_of_the_process_is_heard(open_egress, connects, http_sink):
    egress = open_egress(Reach(allow_private=True), Answers())
    assert (await post(egress, http_sink.url)).status == 200

    assert connects == [("127.0.0.1", http_sink.port)]
