"""The server side of the benchmark: answers canned order statuses and accepts callbacks, as fast as a core lets it.

Not the sandbox: a rival of the client for CPU would measure itself.
"""

import asyncio
import os
import sys
from typing import cast

_PADDING = "x" * 40


def order_body(order_id: str) -> bytes:
    """Return a paid order of about 3 kB; only the order id differs between orders."""
    links = f'"https://shop.example.com/orders/{_PADDING}/payment-page"'
    udf = ",".join(f'"udf{i}":"{_PADDING}"' for i in range(1, 11))
    text = (
        '{"customer_email":"someone@example.com","customer_phone":"9000000001","customer_id":"cth_bench",'
        '"status_id":21,"status":"CHARGED","id":"ordeh_ce1b850f468efb238e94726a0e225b98","merchant_id":"bench",'
        f'"amount":2001,"currency":"INR","order_id":"{order_id}","date_created":"2026-03-02T08:00:00Z",'
        '"last_updated":"2026-03-02T08:01:31Z","return_url":"https://shop.example.com/return","product_id":"",'
        f'"payment_links":{{"iframe":{links},"web":{links},"mobile":{links}}},{udf},'
        '"txn_id":"bench-order-1","payment_method_type":"CARD","auth_type":"THREE_DS","card":{"expiry_year":"2029",'
        '"card_reference":"bd5f2f064e2c1338bbd6b27a0a8a38cc","expiry_month":"11","name_on_card":"SOMEONE",'
        '"card_issuer":"A BANK","last_four_digits":"1097","card_isin":"401200","card_type":"CREDIT",'
        '"card_brand":"VISA","tokens":[],"token_type":"CARD"},"payment_method":"VISA","refunded":false,'
        '"amount_refunded":0,"effective_amount":2001,"maximum_eligible_refund_amount":2001,"resp_code":null,'
        '"resp_message":null,"bank_error_code":"","bank_error_message":"","resp_category":null,'
        '"txn_uuid":"mozOBHHRBJTZXFAWOE6","txn_detail":{"txn_id":"bench-order-1","order_id":"order",'
        '"status":"CHARGED","error_code":null,"net_amount":2001,"surcharge_amount":null,"txn_amount":2001,'
        '"gateway_id":23,"currency":"INR","express_checkout":true,"redirect":true,"gateway":"RAZORPAY",'
        '"error_message":"","created":"2026-03-02T08:00:21Z","txn_flow_type":"CARD_TRANSACTION",'
        '"metadata":{"payment_channel":"WEB","microapp":"hyperpay"}},"payment_gateway_response":'
        '{"resp_code":"captured","rrn":"606108123456","created":"2026-03-02T08:01:30Z","epg_txn_id":"pay_1",'
        '"resp_message":"Payment captured","auth_id_code":"781204","txn_id":"bench-order-1"},"gateway_id":23,'
        '"metadata":{"payment_page_client_id":"bench"},"gateway_reference_id":"mid","offers":[]}'
    )
    return text.encode()


def _answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_ACCEPTED = _answer(b"ok")
_BEFORE, _AFTER = order_body("\0").split(b"\0")


class Server(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, just enough for one client that sends whole requests; /hang is never answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # what a TCP server hands over
        self._pending = b""

    def data_received(self, data: bytes) -> None:
        data = self._pending + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end]
            length = _content_length(head)
            if len(data) < end + 4 + length:
                break
            data = data[end + 4 + length :]
            if not head.startswith(b"POST /hang"):
                self._transport.write(_ACCEPTED if head.startswith(b"POST") else self._order(head))
        self._pending = data

    @staticmethod
    def _order(head: bytes) -> bytes:
        order_id = head[: head.index(b" HTTP/1.1")].rpartition(b"/")[2]
        return _answer(_BEFORE + order_id + _AFTER)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1])))
