"""What a mail server's refusal, or its silence, means for a delivery."""

import re
import ssl

import aiosmtplib

from notifier.domain.delivery import Outcome, Reason, Verdict

_FIRST_PERMANENT = 500
_FIRST_REAL = 200  # the library puts -1 for an answer it could not read
# Source: RFC 3463 section 3.2, RFC 7505. The others of the class 5.1 speak of the sender, or of nobody.
_NO_ADDRESS = re.compile(r"5\.1\.(1|2|3|6|10)\b")
# What the server lacks or rejects of our settings; for want of STARTTLS or AUTH the library raises its bare error.
_OUR_SETTINGS = (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPNotSupported)


def outcome_of(error: Exception) -> Outcome:
    """Return the outcome of an attempt that failed; without the server's words, which name the recipient."""
    match error:
        case _ if isinstance(error, _OUR_SETTINGS) or type(error) is aiosmtplib.SMTPException:
            return Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        case aiosmtplib.SMTPConnectResponseError() | aiosmtplib.SMTPHeloError():
            reason = Reason.CONNECTION
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]) if _is_no_address(first):
            return Outcome(verdict=Verdict.GONE, reason=Reason.RECIPIENT_REFUSED)
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return _of_code(first.code, Verdict.REFUSED, Reason.RECIPIENT_REFUSED)
        case aiosmtplib.SMTPSenderRefused(code=code) if code >= _FIRST_PERMANENT:
            return Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
        case aiosmtplib.SMTPResponseException(code=code):
            return _of_code(code, Verdict.REFUSED, Reason.REFUSED_BY_SERVICE)
        case TimeoutError():
            reason = Reason.TIMEOUT
        case _:
            is_tls = any(isinstance(each, ssl.SSLError) for each in (error, error.__cause__))
            reason = Reason.TLS if is_tls else Reason.CONNECTION
    return Outcome(verdict=Verdict.RETRY, reason=reason)


def _is_no_address(refused: aiosmtplib.SMTPRecipientRefused) -> bool:
    """Return whether the recipient's address is at fault for good, and neither the mail, its sender nor a policy."""
    return refused.code >= _FIRST_PERMANENT and _NO_ADDRESS.match(refused.message) is not None


def _of_code(code: int, verdict: Verdict, reason: Reason) -> Outcome:
    """Return `verdict` for a code from 500 on; with a lower one the server asks to come again."""
    if code < _FIRST_REAL:
        return Outcome(verdict=Verdict.RETRY, reason=Reason.ANSWER_UNREADABLE)
    return Outcome(verdict=verdict if code >= _FIRST_PERMANENT else Verdict.RETRY, reason=reason)
