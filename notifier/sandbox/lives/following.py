"""What follows the payment: the words of an offer, and of the mandate that an order registers."""

from notifier.sandbox.lives.scenario import FAILED, PAID, UNTRIED, Life, Look, tag


def offer_status(life: Life, look: Look) -> str:
    """Return the status of the order's offer."""
    if look.status in FAILED:
        return "FAILED"
    if look.status not in PAID:
        return "INITIATED"
    if look.refunded:
        return "REFUNDED" if look.refunded == life.effective else "PARTIALLY_REFUNDED"
    return "AVAILED"


def mandate_id(life: Life) -> str:
    """Return the id of the mandate that the order registers."""
    return tag(f"mandate of {life.order_id.lower()}")[:20]


def mandate_status(life: Life, look: Look) -> str | None:
    """Return the status of the order's mandate, None while there is none."""
    if not life.registers_mandate or look.status in UNTRIED:
        return None
    if look.mandate_status is not None:
        return look.mandate_status
    return registered_status(look)


def registered_status(look: Look) -> str:
    """Return the status that the registration gave the mandate, whatever became of it later."""
    if look.status in FAILED:
        return "FAILURE"
    return "ACTIVE" if look.status in PAID else "CREATED"


def mandate_course(life: Life, age_s: float) -> tuple[tuple[float, str], ...]:
    """Return the ages at which the mandate took each of its statuses so far."""
    course: list[tuple[float, str]] = []
    for step in life.steps:
        if step.at_s > age_s:
            break
        word = mandate_status(life, life.look(step.at_s))
        if word is not None and (not course or course[-1][1] != word):
            course.append((step.at_s, word))
    return tuple(course)
