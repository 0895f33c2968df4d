from __future__ import annotations

import time

import pytest

from spotlaunch_providers.shared.redact import LONGEST, READ, Redactor


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("User: arn:aws:iam::123456789012:user/ann is not authorized", "User: *** is not authorized"),
        ("account 123456789012 is blocked", "account *** is blocked"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key *** is unknown"),
        ("Subscription '0f3b1c2d-1111-2222-3333-444455556666' not found", "Subscription '***' not found"),
        ("Authorization: Bearer abc.def-123 expired", "Authorization: Bearer *** expired"),
        ("GET /x?api_key=sekret&y=1", "GET /x?api_key=***&y=1"),
        ("projects/my-project-1/zones/z is gone", "projects/***/zones/z is gone"),
        ("Quota exceeded for project 'my-project'", "Quota exceeded for project '***'"),
        ("sa@my-project.iam.gserviceaccount.com may not", "*** may not"),
        ("p5.48xlarge in us-east-1a has no capacity until 2026-11-21T10:00:00Z", None),
        ("limit 10000000000 of 64 vCPU", None),
    ],
)
def test_what_names_an_account_is_masked_and_the_rest_stays(said: str, left: str | None) -> None:
    assert Redactor()(said) == (left or said)


def test_known_values_are_masked_wherever_they_stand() -> None:
    redact = Redactor(["marker-project", "tok-1234567890", "", "ab"])
    assert redact("about marker-project: tok-1234567890 ab") == "about ***: *** ab"


def test_a_longer_value_is_masked_before_a_part_of_it() -> None:
    assert Redactor(["abcd", "abcd-efgh"])("abcd-efgh") == "***"


def test_words_are_one_line_and_not_endless() -> None:
    said = Redactor()("a\nb\t" + "c" * 1000)
    assert said.startswith("a b ccc") and len(said) <= LONGEST


def test_a_value_inside_an_address_does_not_save_the_rest_of_it() -> None:
    mask = Redactor(["my-project", "project-xy"])
    assert mask("denied for robot@my-project.iam.gserviceaccount.com here") == "denied for *** here"
    assert mask("my-project-xyz and my-project") == "***z and ***"


def test_a_text_without_end_is_looked_at_in_no_time_and_shows_no_half_of_a_secret() -> None:
    began = time.monotonic()
    assert Redactor()("a." * 50_000 + "@") == " ..."
    assert time.monotonic() - began < 5
    said = Redactor(["k3y-of-mine"])("eyJ" + "a" * (READ - 14) + ".b.c k3y-of-mine" + " more" * 1000)
    assert "k3y" not in said
    assert len(said) <= LONGEST
