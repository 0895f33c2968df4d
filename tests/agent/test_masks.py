"""No secret leaves the machine, wherever the stream is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.agent.masks import Masker


def through(masker: Masker, pieces: list[bytes]) -> bytes:
    return b"".join(masker.feed(piece) for piece in pieces) + masker.rest()


def test_a_secret_is_replaced_wherever_it_stands() -> None:
    assert through(Masker(["hunter22"]), [b"a hunter22 b\nhunter22hunter22\n"]) == b"a *** b\n******\n"


def test_a_secret_cut_in_two_is_replaced() -> None:
    assert through(Masker(["hunter22"]), [b"key=hun", b"ter", b"22 end"]) == b"key=*** end"


def test_what_only_began_like_a_secret_comes_out_in_the_end() -> None:
    masker = Masker(["hunter22"])
    assert masker.feed(b"the hunt") == b"the "
    assert masker.feed(b"ing\n") == b"hunting\n"
    assert masker.feed(b"hunter") == b""
    assert masker.rest() == b"hunter"


def test_of_two_secrets_that_begin_alike_the_longer_is_replaced_whole() -> None:
    assert through(Masker(["abcd", "abcdef"]), [b"x abcd", b"ef y"]) == b"x *** y"


def test_a_secret_that_ends_like_another_begins() -> None:
    assert through(Masker(["wxabcd", "cdyz!"]), [b"-wxabcd", b"?-"]) == b"-***?-"
    assert b"wxab" not in through(Masker(["wxabcd", "cdyz!"]), [b"-wxabcd", b"yz!-"])


def test_each_line_of_a_key_file_is_a_secret() -> None:
    key = "-----BEGIN KEY-----\nMIIabcdefgh\n  indented-line\n-----END KEY-----\n"
    assert b"MIIabc" not in through(Masker([key]), [b"x MIIabcdefgh y"])
    assert b"indented" not in through(Masker([key]), [b"indented-line"])


def test_short_values_are_left_alone() -> None:
    assert through(Masker(["abc", "", "  "]), [b"abc abc"]) == b"abc abc"


@given(st.lists(st.text("abc", min_size=4, max_size=8), max_size=4), st.text("abcd\n", max_size=80), st.data())
def test_however_it_is_cut_no_secret_comes_out_and_nothing_else_is_lost(
    secrets: list[str], text: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    pieces = [text[a:b].encode() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = Masker(secrets).mask(text.encode())
    told = through(Masker(secrets), pieces)
    # Overlapping secrets may be masked one way or another; a whole one never comes out.
    assert not any(secret.encode() in told for secret in secrets)
    if not any(secret in text for secret in secrets):
        assert told == whole == text.encode()
