"""What must hold at the end of a round; each check returns a line for each thing that does not."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from crash_journal import Event, Journal, Receipt

LONGEST_UNRECORDED_S = 5.0
"""For so long may an answer wait to be recorded, on a machine that does other things as well."""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """An event that one receiver took twice; `why_not` says why no kill explains it."""

    earlier: Receipt
    later: Receipt
    point: str = ""
    why_not: str = ""


def findings(journal: Journal) -> list[str]:
    """Return everything that is wrong."""
    checks = (
        lost_registrations,
        untold_versions,
        untold_served,
        untold_finals,
        lost_deliveries,
        broken_lanes,
        unexplained_repeats,
        broken_sequences,
        broken_signatures,
        miscounted_attempts,
    )
    return [f"{check.__name__}: {line}" for check in checks for line in check(journal)]


def lost_registrations(journal: Journal) -> Iterator[str]:
    """A registration that was answered is kept."""
    for order_id in sorted(journal.registered - journal.versions.keys()):
        yield f"{order_id} was registered and is not known"


def untold_versions(journal: Journal) -> Iterator[str]:
    """Every snapshot with another status than the one before has the event of that status."""
    told = {(event.order_id, event.version, event.current) for event in _statuses(journal)}
    for order_id, versions in journal.versions.items():
        before = None
        for version, status in versions:
            if status != before and (order_id, version, status) not in told:
                yield f"{order_id} version {version} {status}"
            before = status


def untold_served(journal: Journal) -> Iterator[str]:
    """A status that one daemon was shown twice is told: it asks again only once the first answer is committed."""
    told = {(event.order_id, event.current) for event in _statuses(journal)}
    for order_id, status in sorted(held_long_enough(journal)):
        if (order_id, status) not in told:
            yield f"{order_id} {status}"


def held_long_enough(journal: Journal) -> set[tuple[str, str]]:
    times = Counter(
        (each.life, each.order_id, each.status) for each in journal.served if each.life is not None
    )
    return {(order_id, status) for (_, order_id, status), count in times.items() if count > 1}


def untold_finals(journal: Journal) -> Iterator[str]:
    """Every order's last word is told, and as the last of its statuses."""
    last = {event.order_id: event.current for event in _statuses(journal)}
    for order_id, status in journal.finals.items():
        if last.get(order_id) != status:
            yield f"{order_id} ended {status}, the last told is {last.get(order_id)}"


def lost_deliveries(journal: Journal) -> Iterator[str]:
    """Every event reached everyone who wants it, or stands among the skipped ids of a later one that did."""
    owed = {(each.listener, each.event_id): each for each in journal.deliveries}
    accepted = journal.accepted()
    sequences = {event.id: event.sequence for event in journal.events}
    skipped: dict[tuple[str, str], int] = {}
    for receipts in accepted.values():
        for event_id in receipts[0].skipped:
            skipped[receipts[0].listener, event_id] = sequences.get(receipts[0].event_id, 0)
    for listener in journal.listeners.values():
        for event in journal.events:
            if not listener.wants(event):
                continue
            key = listener.name, event.id
            delivery = owed.get(key)
            what = f"{event.type} of {event.order_id} (#{event.sequence}) for {listener.name}"
            if delivery is None:
                yield f"{what}: no delivery"
            elif delivery.state == "superseded":
                if (listener.mode, delivery.reason) != ("latest", "newer_state"):
                    yield f"{what}: superseded by {delivery.reason} in mode {listener.mode}"
                elif skipped.get(key, 0) <= event.sequence:
                    yield f"{what}: superseded, but no later one names it among its skipped"
            elif delivery.state != "delivered":
                yield f"{what}: {delivery.state} ({delivery.reason})"
            elif key not in accepted:
                yield f"{what}: delivered, but the receiver never took it"


def broken_lanes(journal: Journal) -> Iterator[str]:
    """Strict lanes go in order; elsewhere whatever overtakes names the earlier one in `notifier-behind`."""
    lanes = defaultdict(list)
    places = {id(receipt): place for place, receipt in enumerate(journal.receipts)}
    events = {event.id: event for event in journal.events}
    for (listener, event_id), receipts in journal.accepted().items():
        event = events.get(event_id)
        if event is None:
            yield f"{listener} took {event_id}, which is not in the log"
        elif event.order_id is not None:
            lanes[listener, event.order_id].append((places[id(receipts[0])], event, receipts[0]))
    for (listener, order_id), taken in lanes.items():
        is_strict = journal.listeners[listener].ordering == "strict"
        taken.sort(key=lambda each: each[0])
        for place, (_, event, receipt) in enumerate(taken):
            overtaken = [late for _, late, _ in taken[place + 1 :] if late.sequence < event.sequence]
            for late in overtaken:
                if is_strict:
                    yield f"strict {listener}: {event.type} of {order_id} came before {late.type}"
                elif late.id not in receipt.behind:
                    yield f"unmarked, {listener}: {event.type} of {order_id} came before {late.type}"


def overtakings(journal: Journal) -> int:
    """Return how many callbacks said that they are ahead of others."""
    return sum(1 for receipt in journal.receipts if receipt.behind and receipt.is_accepted)


def repeats(journal: Journal) -> list[Repeat]:
    """Return every repeat: it is explained by the kill of the daemon whose earlier attempt has no outcome."""
    owed = {(each.listener, each.event_id): each for each in journal.deliveries}
    deaths = journal.deaths()
    found = []
    for key, receipts in journal.accepted().items():
        for earlier, later in pairwise(receipts):
            kill = deaths.get(earlier.life)
            recorded = dict(owed[key].tries).get(earlier.attempt) if key in owed else None
            why_not = ""
            if kill is None or later.life <= earlier.life:
                why_not = "no kill between the two"
            elif recorded != "no_outcome":
                why_not = f"attempt {earlier.attempt} is on record as {recorded}"
            elif kill.at - earlier.at > LONGEST_UNRECORDED_S:
                why_not = f"taken {kill.at - earlier.at:.1f} s before the kill and not recorded"
            found.append(
                Repeat(earlier=earlier, later=later, point=kill.point if kill else "", why_not=why_not)
            )
    return found


def unexplained_repeats(journal: Journal) -> Iterator[str]:
    for repeat in repeats(journal):
        if repeat.why_not:
            first, again = repeat.earlier, repeat.later
            lives = f"lives {first.life} and {again.life}, attempts {first.attempt} and {again.attempt}"
            yield f"{first.event_id} for {first.listener} ({lives}): {repeat.why_not}"


def broken_sequences(journal: Journal) -> Iterator[str]:
    """The numbers of a subscription have no hole, and each belongs to one event, here and at the receiver."""
    events_of = defaultdict(set)
    for delivery in journal.deliveries:
        if delivery.sequence is not None:
            events_of[delivery.listener, delivery.sequence].add(delivery.event_id)
    for listener in journal.listeners:
        numbers = {number for of, number in events_of if of == listener}
        missing = set(range(1, max(numbers, default=0) + 1)) - numbers
        if missing:
            yield f"{listener}: missing {sorted(missing)[:10]}"
    for receipt in journal.receipts:
        events_of[receipt.listener, receipt.sequence].add(receipt.event_id)
    for (listener, number), of_number in events_of.items():
        if len(of_number) > 1:
            yield f"{listener}: {number} stands for {sorted(of_number)}"


def broken_signatures(journal: Journal) -> Iterator[str]:
    for receipt in journal.receipts:
        if not receipt.is_verified:
            yield f"{receipt.event_id} for {receipt.listener}, attempt {receipt.attempt}"


def miscounted_attempts(journal: Journal) -> Iterator[str]:
    """Attempts are numbered without a hole, the last one accepted, and no receiver saw one that is not counted."""
    seen = defaultdict(list)
    for receipt in journal.receipts:
        seen[receipt.listener, receipt.event_id].append(receipt.attempt)
    for delivery in journal.deliveries:
        numbers = [number for number, _ in delivery.tries]
        reasons = [reason for _, reason in delivery.tries]
        at_receiver = seen[delivery.listener, delivery.event_id]
        what = f"{delivery.event_id} for {delivery.listener}"
        if numbers != list(range(1, delivery.attempts + 1)):
            yield f"{what}: {delivery.attempts} counted, on record are {numbers}"
        if len(at_receiver) != len(set(at_receiver)) or not set(at_receiver) <= set(numbers):
            yield f"{what}: on record are {numbers}, the receiver saw {at_receiver}"
        is_last = reasons[-1:] == ["accepted"] and reasons.count("accepted") == 1
        if delivery.state == "delivered" and not is_last:
            yield f"{what}: delivered after {reasons}"


def _statuses(journal: Journal) -> list[Event]:
    return [event for event in journal.events if event.type.startswith("order.") and event.field == "status"]
