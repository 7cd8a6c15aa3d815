"""A receiver of the notifier's callbacks, to copy: Python 3.11, the package `standardwebhooks`, one SQLite file.

    pip install standardwebhooks
    NOTIFIER_SECRET='whsec_…' python receiver.py

It verifies the bytes as they came, stores the event under its id, and answers; do your own work from its tables
afterwards. NOTIFIER_SECRET may hold several secrets, separated by blanks.
"""

import json
import os
import re
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST_BODY = 1024 * 1024
WIDEST_GAP = 1000  # the number is not signed, so it must not fill the disk
SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=")

TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, body BLOB NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS states (
    account TEXT, order_id TEXT, subject TEXT, subject_id TEXT, version INTEGER NOT NULL, snapshot TEXT NOT NULL,
    PRIMARY KEY (account, order_id, subject, subject_id)
);
CREATE TABLE IF NOT EXISTS callbacks (subscription TEXT, event_id TEXT, PRIMARY KEY (subscription, event_id));
CREATE TABLE IF NOT EXISTS sequences (subscription TEXT PRIMARY KEY, highest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gaps (
    subscription TEXT, sequence INTEGER, noticed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (subscription, sequence)
);
"""


class Store:
    """What came, each event once.

    `events` is your inbox: work through the rows with `done = 0`. `states` holds the newest snapshot told of each
    subject. `gaps` are numbers that others have overtaken: give them the time of some retries, then ask
    GET /v1/deliveries?subscription=… what became of them.
    """

    def __init__(self, path: str) -> None:
        self._disk = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._disk.executescript(TABLES)
        self._turn = threading.Lock()

    def take(self, event_id: str, body: bytes, subscription: str, sequence: int) -> str:
        """Store an event in one transaction, and return what it was."""
        with self._turn, self._disk:
            self._disk.execute("BEGIN IMMEDIATE")
            new = self._disk.execute(
                "INSERT INTO events (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING", (event_id, body)
            )
            # Several subscriptions may bring one event: each numbers it, and it is taken once.
            counted = self._disk.execute(
                "INSERT INTO callbacks VALUES (?, ?) ON CONFLICT DO NOTHING", (subscription, event_id)
            )
            if counted.rowcount:
                self._count(subscription, sequence)
            if not new.rowcount:
                return "repeated"
            # An effect of yours that lives in this database belongs here, in the same transaction.
            return self._apply(body)

    def _apply(self, body: bytes) -> str:
        """Keep the snapshot unless a newer one is known; events of no order, and other templates, have none."""
        try:
            data = json.loads(body)["data"]
            version, snapshot = data["order_version"], data["order"]
        except (ValueError, KeyError, TypeError):
            return "taken"
        if not snapshot:
            return "taken"
        key = (data["account"], data["order_id"], data["subject"], data["subject_id"] or "")
        kept = self._disk.execute(
            "INSERT INTO states VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET version = excluded.version, snapshot = excluded.snapshot WHERE excluded.version >= states.version",
            (*key, version, json.dumps(snapshot)),
        )
        return "applied" if kept.rowcount else "outdated"

    def _count(self, subscription: str, sequence: int) -> None:
        """Note which numbers are missing; what was sent before this receiver's first callback is not missed."""
        row = self._disk.execute(
            "SELECT highest FROM sequences WHERE subscription = ?", (subscription,)
        ).fetchone()
        highest = row[0] if row else sequence - 1
        self._disk.execute(
            "DELETE FROM gaps WHERE subscription = ? AND sequence = ?", (subscription, sequence)
        )
        overtaken = range(max(highest + 1, sequence - WIDEST_GAP), sequence)
        self._disk.executemany(
            "INSERT INTO gaps (subscription, sequence) VALUES (?, ?)",
            [(subscription, missing) for missing in overtaken],
        )
        self._disk.execute(
            "INSERT INTO sequences VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = excluded.highest",
            (subscription, max(highest, sequence)),
        )

    def missing(self, subscription: str) -> list[int]:
        """Return the numbers that others have overtaken, lowest first."""
        with self._turn:
            rows = self._disk.execute(
                "SELECT sequence FROM gaps WHERE subscription = ? ORDER BY sequence", (subscription,)
            )
            return [sequence for (sequence,) in rows]


def is_genuine(webhooks: list[Webhook], headers: Any, body: bytes) -> bool:
    """Say whether one of the secrets signed these bytes, less than five minutes ago."""
    # The package gives up at entries that it cannot read; schemes of later versions must not stop an old receiver.
    entries = [entry for entry in headers.get("webhook-signature", "").split() if SIGNATURE.fullmatch(entry)]
    given = {name: headers.get(name, "") for name in ("webhook-id", "webhook-timestamp")}
    for webhook in webhooks:
        try:
            webhook.verify(body, {**given, "webhook-signature": " ".join(entries)}, json_parse=False)
        except (WebhookVerificationError, ValueError):  # a ValueError for bytes that are no text
            continue
        return True
    return False


def say(line: str) -> None:
    """Print a line in one piece: requests are answered side by side."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def number(text: str | None) -> int | None:
    """Return the number that a header holds, or None."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 13 else None


class Receiver(BaseHTTPRequestHandler):
    """One callback: refuse what is not genuine, store, answer."""

    protocol_version = "HTTP/1.1"
    timeout = 15
    webhooks: list[Webhook]
    store: Store

    def do_POST(self) -> None:
        self._answer(self._received())

    def _received(self) -> int:
        length = number(self.headers.get("content-length"))
        if length is None or length > LARGEST_BODY:
            self.close_connection = True
            return 411 if length is None else 413
        body = self.rfile.read(length)
        if not is_genuine(self.webhooks, self.headers, body):
            return 401
        event_id, subscription = self.headers["webhook-id"], self.headers.get("notifier-subscription", "")
        sequence = number(self.headers.get("notifier-sequence"))
        if sequence is None:
            return 400
        try:
            was = self.store.take(event_id, body, subscription, sequence)
            missing = self.store.missing(subscription)
        except sqlite3.Error as error:
            say(f"failed {event_id}: {error}")
            return 503  # it comes again
        say(" ".join([was, event_id, *(f"missing {each}" for each in missing)]))
        return 204

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Receiver.webhooks = [Webhook(secret) for secret in os.environ.get("NOTIFIER_SECRET", "").split()]
    if not Receiver.webhooks:
        sys.exit("set NOTIFIER_SECRET to the subscription's signing secret, whsec_…")
    Receiver.store = Store(os.environ.get("RECEIVER_STORE", "receiver.db"))
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")))
    with ThreadingHTTPServer(address, Receiver) as server:
        print(f"listening on http://{address[0]}:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
