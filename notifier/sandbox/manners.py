"""How the sandbox answers where Juspay's documents are silent or disagree: one switch for each doubt."""

from enum import StrEnum

import msgspec


class UnknownOrder(StrEnum):
    """How an order that does not exist is answered."""

    JSON = "json"
    LEGACY = "legacy"
    LEGACY_200 = "legacy_200"
    BAD_REQUEST = "bad_request"


class Manners(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The defaults are the likeliest readings."""

    merchant_header: bool = True  # whether a call without `x-merchantid` is refused
    unknown_order: UnknownOrder = UnknownOrder.JSON
    mandate_follows: bool = True  # whether the order's mandate shows what happened after its registration
    loan_status_follows: bool = False  # whether the credit call's `status` tells of the loan, not of the call
    loan_ids_differ: bool = False  # whether `txn_detail` of a loan has ids of its own
