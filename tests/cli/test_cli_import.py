import json
from pathlib import Path

import pytest

from notifier.cli import importing
from notifier.cli.importing import records
from notifier.cli.options import Misuse

ORDERS = "order_id,amount,currency,tags\nJP1,386.00,INR,gold;north\nJP2,,INR,\nJP3,2,JPY,x\n"


def written(text: str | bytes, name: str = "orders.csv") -> str:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def bodies(text: str | bytes) -> list[dict | str]:
    return [each.body for each in records(Path(written(text)))]


async def watched(cli) -> list[str]:
    return [each["order_id"] for each in (await cli("watch", "list", "--limit", "0", "--json")).json["items"]]


def test_csv_rows_become_bodies():
    assert bodies(ORDERS) == [
        {"order_id": "JP1", "tags": ["gold", "north"], "expect": {"amount": "386.00", "currency": "INR"}},
        {"order_id": "JP2"},
        {"order_id": "JP3", "tags": ["x"], "expect": {"amount": "2", "currency": "JPY"}},
    ]


def test_csv_of_a_spreadsheet_is_read():
    assert bodies(b'\xef\xbb\xbfORDER_ID,tags\r\n"a,b","x\r\ny"\r\n\r\nc,\r\n') == [
        {"order_id": "a,b", "tags": ["x\r\ny"]},
        {"order_id": "c"},
    ]


def test_ndjson_lines_become_bodies_and_bad_ones_say_so():
    assert bodies('{"order_id": "JP1", "initial": "silent"}\n\n[1]\n{broken\n') == [
        {"order_id": "JP1", "initial": "silent"},
        "is no JSON object",
        "is no JSON object",
    ]


def test_records_know_their_line_in_the_file():
    assert [each.line for each in records(Path(written('order_id\n"a\nb"\nc\n')))] == [3, 4]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("order,amount\nJP1,2\n", "'order'"),
        ("amount\n2\n", "order_id"),
        ("", "order_id"),
        (b"order_id\n\xff\xfe\n", "line 2 is not UTF-8"),
        ('order_id\n"a"b\n', "no CSV"),
    ],
)
def test_a_file_that_is_neither_is_refused(text, told):
    with pytest.raises(Misuse, match=told):
        bodies(text)


async def test_a_file_is_imported_whole(cli, url, tmp_path):
    ran = await cli("watch", "import", written(ORDERS), "--initial", "silent", "--json")
    assert (ran.status, ran.json) == (0, {"added": 3, "merged": 0, "failed": 0, "last_line": 4})
    shown = (await cli("watch", "show", "JP1", "--json")).json
    assert (shown["initial"], shown["tags"]) == ("silent", ["gold", "north"])
    assert not (tmp_path / "orders.csv.progress").exists()
    again = await cli("watch", "import", "orders.csv", "--initial", "silent", "--json")
    assert again.json["merged"] == 3


async def test_how_first_looks_are_told_must_be_said(cli, url):
    ran = await cli("watch", "import", written(ORDERS))
    assert ran.status == 2
    assert "--initial" in ran.err


async def test_a_bad_line_is_told_with_its_number_and_stops_nothing(cli, url):
    ran = await cli(
        "watch",
        "import",
        written("order_id,amount,currency\nJP1,x,INR\nJP2,,,,\nJP3,,\n"),
        "--initial",
        "tell",
    )
    assert ran.status == 1
    assert await watched(cli) == ["JP3"]
    assert "orders.csv line 2: JP1 expect.amount" in ran.err
    assert "orders.csv line 3: has 5 values for 3 columns" in ran.err
    assert "1 added, 0 merged, 2 failed" in ran.err


@pytest.fixture
def _short(monkeypatch):
    monkeypatch.setattr(importing, "PIECE", 2)


class Breaking:
    """Lets so many bulk calls through, then breaks off."""

    def __init__(self, monkeypatch, calls: int) -> None:
        self.sent: list[str] = []
        original = importing.Client.lines

        def lines(client, path, ndjson):
            if len(self.sent) >= calls:
                client._daemon = type(client._daemon)(url="http://127.0.0.1:1", key=None, advice="")
            self.sent.append(ndjson.decode())
            return original(client, path, ndjson)

        monkeypatch.setattr(importing.Client, "lines", lines)


@pytest.mark.usefixtures("_short")
async def test_an_import_that_broke_off_continues_after_the_last_confirmed_line(
    cli, url, monkeypatch, tmp_path
):
    text = "order_id\n" + "".join(f"JP{n}\n" for n in range(5))
    with monkeypatch.context() as patched:
        Breaking(patched, 1)
        ran = await cli("watch", "import", written(text), "--initial", "tell")
    assert ran.status == 1
    assert "confirmed to line 3, run the same again to continue" in ran.err
    assert json.loads((tmp_path / "orders.csv.progress").read_text())["line"] == 3
    with monkeypatch.context() as patched:
        sent = Breaking(patched, 9).sent
        ran = await cli("watch", "import", "orders.csv", "--initial", "tell", "--json")
    assert ran.json == {"added": 3, "merged": 0, "failed": 0, "last_line": 6}
    assert "JP1" not in "".join(sent)
    assert "continuing after line 3" in ran.err
    assert await watched(cli) == [f"JP{n}" for n in range(5)]


@pytest.mark.usefixtures("_short")
async def test_another_file_of_the_same_name_begins_anew(cli, url, monkeypatch):
    with monkeypatch.context() as patched:
        Breaking(patched, 1)
        await cli("watch", "import", written("order_id\nA\nB\nC\n"), "--initial", "tell")
    ran = await cli("watch", "import", written("order_id\nD\nE\nF\n"), "--initial", "tell", "--json")
    assert ran.json["added"] == 3
    assert "beginning anew" in ran.err


async def test_a_line_to_begin_at_may_be_given(cli, url):
    ran = await cli(
        "watch", "import", written("order_id\nA\nB\nC\n"), "--initial", "tell", "--from-line", "3", "--json"
    )
    assert ran.json["added"] == 2
    assert await watched(cli) == ["B", "C"]
