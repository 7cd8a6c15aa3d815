"""How bad a cause is, and what to try first."""

from notifier.domain.alert.finding import Cause
from notifier.domain.alert.report import Place, Severity, Tier

_PAGES = frozenset({Tier.PAGE, Tier.RUN, Tier.PLAIN, Tier.SILENCE, Tier.STUCK})
_MUCH_VALUE, _MOSTLY_FAILING = 0.2, 0.6

_HINTS = {
    ("gateway",): (
        "One gateway fails whatever the method: move its traffic to another gateway.",
        "Look at the gateway's status page, and whether its keys or settings were changed.",
    ),
    ("bank",): (
        "One bank fails at every gateway: hide or flag it at the checkout until it is well.",
        "Nothing in the routing helps; tell support what customers will ask.",
    ),
    ("payment_method_type",): (
        "One kind of payment fails at every gateway: put other kinds first at the checkout.",
        "Look whether its settings were changed in the last half hour.",
    ),
    ("payment_method",): (
        "One method fails at every gateway: put other methods first at the checkout.",
        "Look whether its settings were changed in the last half hour.",
    ),
    ("gateway", "bank"): ("One bank fails at one gateway: move its traffic to another gateway.",),
    ("gateway", "payment_method_type"): (
        "One kind of payment fails at one gateway: move its traffic to another gateway.",
    ),
    ("gateway", "payment_method"): ("One method fails at one gateway: move its traffic to another gateway.",),
    (): (
        "Everything fails: look at your own last deployment and at the account's keys first.",
        "If neither changed, ask the upstream whether it has an outage.",
    ),
}
_OF_TIERS = {
    Tier.SILENCE: (
        "Hardly any payment ends: look whether the checkout is reachable and sends orders at all.",
    ),
    Tier.STUCK: ("Payments begin and do not end: look at the bank's pages and at the gateway's callbacks.",),
}
_OTHERWISE = ("This slice fails alone: compare it with its siblings that are well.",)


def severity_of(cause: Cause, *, value_share: float) -> Severity:
    """Return how bad it is; `value_share` is the cause's part of the account's money of the last hour, 0 to 1."""
    finding = cause.finding
    if finding.tier not in _PAGES:
        return Severity.P3
    rate = finding.failed / finding.orders if finding.orders else 0.0
    is_large = value_share >= _MUCH_VALUE and rate >= _MOSTLY_FAILING
    return Severity.P1 if not cause.place or is_large else Severity.P2


def hints_of(place: Place, tier: Tier) -> tuple[str, ...]:
    """Return what to try first, at most two sentences, by the kind of cause."""
    kind = tuple(name for name, _ in place)
    return _OF_TIERS.get(tier) or _HINTS.get(kind, _OTHERWISE)
