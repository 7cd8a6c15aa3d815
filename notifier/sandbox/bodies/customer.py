"""Who buys: what the merchant sent of the customer, or a made-up one who is the same for the order's whole life."""

from notifier.sandbox.lives.scenario import Life, tag

# What a merchant may send with an order and finds in it again.
GIVEN = (
    "customer_id",
    "customer_email",
    "customer_phone",
    "return_url",
    "product_id",
    *(f"udf{n}" for n in range(1, 11)),
)


def customer(life: Life) -> dict[str, str]:
    """Return the customer's members of a body."""
    mark = tag(life.order_id.lower())
    made_up = {
        "customer_email": f"customer.{mark[:6]}@example.com",
        "customer_phone": f"90000{int(mark[:8], 16) % 100000:05d}",
        "customer_id": f"cth_{mark[8:20]}",
    }
    return {name: life.given.get(name, value) for name, value in made_up.items()}
