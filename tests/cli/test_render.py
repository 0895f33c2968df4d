from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest

from spotlaunch.cli import render


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (192, "3m12s"),
        (3600, "1h00m"),
        (7500, "2h05m"),
        (86400, "1d00h"),
        (356400, "4d03h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert render.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3.25e9, "3.2 GB"), (5e12, "5.0 TB")],
)
def test_sizes_are_as_people_read_them(count: int, text: str) -> None:
    assert render.size(count) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.0000"), ("0.00311", "0.0031"), ("9.5", "9.5000"), ("10", "10.00"), ("-12.345", "-12.34")],
)
def test_dollars_show_cents_or_less(amount: str, text: str) -> None:
    assert render.usd(Decimal(amount)) == text


def test_progress_is_a_step_of_a_total_as_far_as_known() -> None:
    assert [render.progress(*p) for p in ((0, None), (40, None), (0, 60), (40, 60))] == ["", "40", "0/60", "40/60"]


def test_a_table_is_aligned_and_ends_no_line_in_blanks() -> None:
    head = render.columns("job", ">spent $", "note")
    found = render.plain_table(head, [["digits", "0.5", ""], ["x", "12.25", "why"]], indent=" ")
    assert found == " job     spent $  note\n digits      0.5\n x         12.25  why"


def test_what_steers_a_terminal_is_taken_out_of_tables(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(render.columns("a", "b"), [["x\ny\x1b[31m", ""]])
    assert capsys.readouterr().out == "a         b\nx y [31m  -\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert render.is_fancy(Terminal()) is True
    assert render.is_fancy(io.StringIO()) is False
    monkeypatch.setenv("TERM", "dumb")
    assert render.is_fancy(Terminal()) is False
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert render.is_fancy(Terminal()) is False


def test_on_a_terminal_no_name_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout", terminal)
    name = "a-very-long-name-of-a-job-that-is-wider-than-the-terminal"
    render.table(render.columns("job", "state", "note"), [[name, "running", "why " * 30]])
    assert name in terminal.getvalue()
    assert "\x1b[32mrunning" in terminal.getvalue()


def test_money_in_json_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    render.as_json({"usd": Decimal("0.25"), "ünï": None})
    assert json.loads(capsys.readouterr().out) == {"usd": 0.25, "ünï": None}
    render.as_json({"a": [1]}, line=True)
    assert capsys.readouterr().out == '{"a":[1]}\n'


def test_many_values_are_one_list_or_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    render.json_list(iter([{"a": 1}, {"a": 2}]), endless=False)
    assert json.loads(capsys.readouterr().out) == [{"a": 1}, {"a": 2}]
    render.json_list(iter([]), endless=False)
    assert json.loads(capsys.readouterr().out) == []
    render.json_list(iter([{"a": 1}, {"a": 2}]), endless=True)
    assert capsys.readouterr().out == '{"a":1}\n{"a":2}\n'
