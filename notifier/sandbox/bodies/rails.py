"""The ways to pay: what the body says of each, and of why an attempt on it failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.sandbox.frame import Json
from notifier.sandbox.lives.loans import FIRST_LENDER
from notifier.sandbox.lives.scenario import ON_THE_PAGE, Life, Look, Method, tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """What the body says of a way to pay."""

    type: str
    method: str
    flow: str
    gateway_id: int
    gateway: str
    auth_type: str = ""
    express_checkout: bool = False
    redirect: bool = True


RAILS: Mapping[Method, Rail] = {
    Method.CARD: Rail(
        type="CARD",
        method="VISA",
        flow="CARD_TRANSACTION",
        gateway_id=23,
        gateway="RAZORPAY",
        auth_type="THREE_DS",
        express_checkout=True,
    ),
    Method.UPI_INTENT: Rail(
        type="UPI", method="UPI", flow="INTENT", gateway_id=19, gateway="PAYTM_V2", redirect=False
    ),
    Method.UPI_COLLECT: Rail(
        type="UPI", method="UPI", flow="COLLECT", gateway_id=23, gateway="RAZORPAY", redirect=False
    ),
    Method.NB: Rail(type="NB", method="NB_SBI", flow="REDIRECT_DEBIT", gateway_id=27, gateway="BILLDESK"),
    Method.WALLET: Rail(
        type="WALLET", method="PHONEPE", flow="INAPP_DEBIT", gateway_id=39, gateway="PHONEPE"
    ),
    Method.LOAN: Rail(
        type="CONSUMER_FINANCE", method=FIRST_LENDER, flow="REDIRECT", gateway_id=1, gateway="LSP"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an attempt failed, in Juspay's own words and in the bank's."""

    code: str | None = None
    message: str | None = None
    category: str | None = None
    bank_code: str = ""
    bank_message: str = ""


_NO_REASON = Reason()
_REFUSED_LOAN = Reason(bank_code="NA", bank_message="The lender refused the application")
_REASONS: Mapping[str, Reason] = {
    "AUTHORIZATION_FAILED": Reason(
        code="INSUFFICIENT_BALANCE",
        message="Insufficient balance in the account",
        category="BUSINESS_ERROR",
        bank_code="03",
        bank_message="Not sufficient funds",
    ),
    "AUTHENTICATION_FAILED": Reason(
        code="USER_DECLINED",
        message="The customer left the bank's page",
        category="USER_DROPPED",
        bank_code="U69",
        bank_message="Collect request expired",
    ),
    "JUSPAY_DECLINED": Reason(bank_code="JP_852", bank_message="Transaction was declined by merchant."),
}


def reason(life: Life, look: Look) -> Reason:
    """Return why the order stands where it stands; all empty unless an attempt failed."""
    if life.method is Method.LOAN and look.status in _REASONS:
        return _REFUSED_LOAN
    return _REASONS.get(look.status, _NO_REASON)


def payer(life: Life) -> str:
    """Return the UPI handle of the customer."""
    return f"90000{int(tag(life.order_id.lower())[:8], 16) % 100000:05d}@examplepsp"


def payment_method(life: Life, look: Look) -> str:
    """Return the `payment_method`: for a loan the lender of the latest application."""
    if look.applications:
        return look.applications[-1].lender
    return RAILS[life.method].method


def instrument(life: Life, look: Look) -> Json:
    """Return the members that describe the card, the wallet or the UPI payer."""
    mark = tag(life.order_id.lower())
    vpa = payer(life)
    match life.method:
        case Method.CARD:
            return {"card": _card(mark)}
        case Method.WALLET:
            return {"wallet": {"txn_flow_type": "INAPP_DEBIT"}}
        case Method.UPI_COLLECT:
            upi = {"payer_vpa": vpa, "txn_flow_type": "COLLECT"}
            return {"payer_vpa": vpa, "payer_app_name": "", "upi": upi}
        case Method.UPI_INTENT if look.status in ON_THE_PAGE:  # the payer is not known before he approves
            return {
                "payer_app_name": "phonepe",
                "upi": {"txn_flow_type": "INTENT", "payer_app": "com.phonepe.app"},
            }
        case Method.UPI_INTENT:
            upi = {"payer_vpa": vpa, "payer_app": "com.phonepe.app", "txn_flow_type": "INTENT"}
            return {"payer_vpa": vpa, "payer_app_name": "phonepe", "upi": upi}
        case Method.NB | Method.LOAN:
            return {}


def _card(mark: str) -> Json:
    return {
        "expiry_year": "2031",
        "card_reference": mark[:32],
        "saved_to_locker": False,
        "expiry_month": "08",
        "name_on_card": "SANDBOX CUSTOMER",
        "card_issuer": "Axis Bank",
        "last_four_digits": "1097",
        "using_saved_card": False,
        "card_fingerprint": mark[32:58],
        "card_isin": "401200",
        "card_type": "CREDIT",
        "card_brand": "VISA",
        "using_token": False,
        "card_issuer_country": "INDIA",
        "juspay_bank_code": "JP_AXIS",
        "extended_card_type": "CREDIT",
        "tokens": [],
        "token_type": "CARD",
        "payment_account_reference": "",
    }
