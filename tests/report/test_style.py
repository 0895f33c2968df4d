from __future__ import annotations

import re

import pytest

from spotlaunch.report.style import STYLE

DAY, NIGHT = (
    dict(re.findall(r"--(\w+): (#\w+);", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)


def light(colour: str) -> float:
    """Its relative luminance, as WCAG 2.2 reckons it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [DAY, NIGHT], ids=["day", "night"])
def test_texts_and_figures_stand_out_from_what_is_behind_them(colours: dict[str, str]) -> None:
    for behind in (colours["back"], colours["card"]):
        assert all(contrast(colours[text], behind) >= 4.5 for text in ("text", "dim", "link"))
    drawn = set(colours) - {"back", "card", "text", "dim", "link", "rule"}
    assert len(drawn) == 12
    assert all(contrast(colours[name], colours["back"]) >= 3 for name in drawn)


def test_night_has_every_colour_of_the_day() -> None:
    assert set(DAY) == set(NIGHT)
    assert set(re.findall(r"var\(--(\w+)\)", STYLE)) == set(DAY)


def test_the_style_fetches_nothing_and_cannot_end_its_element() -> None:
    assert not re.search(r"url|@import|@font-face|src|<", STYLE)
