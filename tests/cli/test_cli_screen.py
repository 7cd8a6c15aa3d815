"""Tables on terminals of every width: what can be copied is whole."""

import pytest

from notifier.cli import screen
from notifier.cli.screen import console, show_table
from support.clock import START

_ID = f"dlv_{'0123456789abcdef' * 2}"
_COLUMNS = ("id", "state", "order_id", "target", "due_at")
_ITEM = {"id": _ID, "state": "pending", "order_id": "JP1", "target": "https://a.example/" + "x" * 90,
         "due_at": "2026-03-02T06:15:00.000Z"}  # fmt: skip


@pytest.fixture
def printed(monkeypatch, capsys):
    def at_width(width: int) -> tuple[str, str]:
        def narrow(*, to_people: bool = False):
            made = console(to_people=to_people)
            made.width = width
            return made

        monkeypatch.setattr(screen, "console", narrow)
        show_table(_COLUMNS, [_ITEM])
        return capsys.readouterr()

    return at_width


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_an_id_is_never_cut(printed, width):
    out, err = printed(width)
    assert _ID in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    for name in _COLUMNS:
        assert (name in out.splitlines()[0].split()) != (f" {name}" in err.replace(":", ","))


def test_a_narrow_terminal_says_what_it_leaves_out(printed):
    out, err = printed(80)
    assert out.split()[:3] == ["id", "state", "order_id"]
    assert err == "Without target, due_at: --json has all.\n"


def test_times_are_short(printed):
    assert "2026-03-02 06:15:00" in printed(200)[0]
    assert screen.moment("2026-03-02T06:15:00.000Z", START) == "06:15:00"
