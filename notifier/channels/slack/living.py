"""One message an incident: posted once, edited as it goes on, and a thread below it that tells what people must know.

Nobody is told of an edit, so what should wake somebody is a reply that the channel sees, too. What was done stands in
the handle, and is not done again by a later attempt. What cannot be edited any more is posted anew.
"""

from typing import Any

import msgspec
from msgspec import Struct, structs

from notifier.channels.contract import Parcel
from notifier.channels.slack.calls import Calls, Said
from notifier.domain.delivery import Outcome, Reason, Verdict

LOST = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found",
     "cannot_reply_to_message"}
)  # fmt: skip
"""Words for a message that is there no more, or not for us."""

Json = dict[str, Any]
_NEEDLESS = Outcome(verdict=Verdict.OUTDATED, reason=Reason.NEWER_STATE)


class News(Struct, frozen=True, kw_only=True):
    """What an event brings besides the message as it stands now."""

    sequence: int
    """Of the event in its account's log: a lower one never undoes an edit."""
    reply: str = ""
    wakes: bool = False


class Handle(Struct, frozen=True, kw_only=True):
    """The message, as of which event it stands, and the event that its thread told last."""

    target: str
    channel: str
    ts: str
    edited: int
    said: str = ""


async def tell(calls: Calls, parcel: Parcel, message: Json, news: News) -> Outcome:
    """Bring the message up to date, and its thread; the outcome bears the handle as far as it got."""
    target = parcel.address.target.reveal()
    handle = _known(parcel.handle, target)
    if handle is None:
        return await _post(calls, parcel, message, news)
    if news.sequence < handle.edited and not news.reply:
        return _NEEDLESS
    edit: Said | None = None
    if news.sequence > handle.edited:
        place = {"channel": handle.channel, "ts": handle.ts}
        edit = await calls.api("chat.update", message | place)
        if edit.word in LOST:
            return await _post(calls, parcel, message, news)
        if edit.is_fine:
            handle = structs.replace(handle, edited=news.sequence)
        elif not news.wakes:
            return _with(edit.outcome, handle)
    reply: Said | None = None
    if news.reply and handle.said != parcel.event_id:
        reply = await calls.api(
            "chat.postMessage", _reply(handle, news, is_replay=parcel.replay_id is not None)
        )
        if reply.word in LOST:
            return await _post(calls, parcel, message, news)
        if reply.is_fine:
            handle = structs.replace(handle, said=parcel.event_id)
    tries = [each for each in (edit, reply) if each is not None]
    # What failed is what is to be tried again; the handle remembers what is done.
    decisive = next((each for each in tries if not each.is_fine), tries[-1] if tries else None)
    done = Outcome(verdict=Verdict.ACCEPTED, reason=Reason.ACCEPTED)
    return _with(decisive.outcome if decisive else done, handle)


async def _post(calls: Calls, parcel: Parcel, message: Json, news: News) -> Outcome:
    """Post it whole, which tells the channel all there is to tell."""
    target = parcel.address.target.reveal()
    said = await calls.api("chat.postMessage", {"channel": target} | message)
    if not said.is_fine or not said.ts:
        return said.outcome
    fresh = Handle(
        target=target,
        channel=said.channel or target,
        ts=said.ts,
        edited=news.sequence,
        said=parcel.event_id,
    )
    return _with(said.outcome, fresh)


def _reply(handle: Handle, news: News, *, is_replay: bool = False) -> Json:
    """Return the reply; one that is sent again wakes nobody: what it says is past."""
    return {
        "channel": handle.channel,
        "thread_ts": handle.ts,
        "text": news.reply,
        "mrkdwn": False,
        "reply_broadcast": news.wakes and not is_replay,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _known(text: str | None, target: str) -> Handle | None:
    """Return the handle, if it is one and of this target: the subscription may have moved to another channel."""
    try:
        handle = msgspec.json.decode(text or "null", type=Handle | None)
    except msgspec.DecodeError:
        return None
    return handle if handle is not None and handle.target == target else None


def _with(outcome: Outcome, handle: Handle) -> Outcome:
    return outcome._replace(handle=msgspec.json.encode(handle).decode())
