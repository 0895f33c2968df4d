from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.report.markup import element, together

ANY = st.text(st.characters()) | st.sampled_from(
    ["<script>alert(1)</script>", '" onload="x', "</title>", "<!--", "]]>", "&lt;b&gt;", "'><img src=x>", "\u202egnp.x"]
)


class Read(HTMLParser):
    """What a reader of HTML makes of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


def as_shown(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


@given(ANY, ANY)
def test_text_stays_text_in_content_and_in_attributes(content: str, value: str) -> None:
    read = Read(element("p", content, title=value).text)
    assert read.tags == [("p", {"title": as_shown(value)})]
    assert read.said == as_shown(content)


def test_elements_stand_within_each_other_and_nothing_is_left_out_silently() -> None:
    made = element("ul", element("li", "a", " & ", "b"), None, class_="key", aria_hidden="true")
    assert made.text == '<ul class="key" aria-hidden="true"><li>a &amp; b</li></ul>'
    assert together("<", None, element("br")).text == "&lt;<br>"


def test_numbers_of_figures_are_short_and_an_attribute_without_value_is_not_there() -> None:
    assert element("rect", x=1.5, y=10.0, width=0.128, height=None).text == '<rect x="1.5" y="10" width="0.13"></rect>'
