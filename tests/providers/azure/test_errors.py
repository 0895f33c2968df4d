from __future__ import annotations

import pytest

from spotlaunch import errors
from spotlaunch_providers.azure.errors import CODES, Judge, as_error, found, words
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.shared.redact import Redactor

ROWS = [(code, row) for code, rows in CODES.items() for row in rows]


@pytest.mark.parametrize(("code", "row"), ROWS, ids=[f"{c}-{n}" for n, (c, _) in enumerate(ROWS)])
def test_each_row_of_the_table_is_reached_by_its_code_and_words(code: str, row) -> None:
    assert found(code.upper(), f"Operation: {row.says}.", row.status) is row


@pytest.mark.parametrize(
    ("said", "status", "reach"),
    [
        (
            "Operation could not be completed as it results in exceeding approved LowPriorityCores quota.",
            409,
            "region-spot",
        ),
        ("exceeding approved standardNDSH100v5Family Family Cores quota. Current Limit: 0", 409, "family-region"),
        ("exceeding approved Total Regional Cores quota", 409, "region-on-demand"),
        ("The server rejected the request because too many requests have been received", 429, "cloud"),
        ("This is not allowed.", 409, "job"),
    ],
)
def test_one_code_stands_for_several_things_that_its_words_tell_apart(said: str, status: int, reach: str) -> None:
    row = found("OperationNotAllowed", said, status)
    assert row is not None and row.reach == reach


def test_an_unknown_code_is_told_in_azures_own_words_without_accounts() -> None:
    said = "no /subscriptions/5ec2e700-aaaa-4bbb-8ccc-0123456789ab"
    kinds = {400: errors.InvalidOrder, 409: errors.Transient, 429: errors.Throttled}
    for status, kind in kinds.items():
        error = as_error("Odd", said, status=status, redact=Redactor())
        assert type(error) is kind and error.message == "Odd: no /subscriptions/***"


def test_the_price_feed_says_no_with_capital_letters() -> None:
    body = {"Error": {"Code": "BadRequest", "Message": "Invalid OData parameters supplied"}}
    error = Judge(Redactor())(Reply(status=400, body=body))
    assert isinstance(error, errors.InvalidOrder) and "Invalid OData parameters" in error.message


@pytest.mark.parametrize("body", [None, [], "text", {}, {"error": "text"}, {"error": {}}, {"error": {"code": None}}])
def test_a_reply_without_a_code_is_left_to_its_status(body: object) -> None:
    assert Judge(Redactor())(Reply(status=500, body=body)) is None
    assert isinstance(Judge(Redactor())(Reply(status=401, body=body)), errors.NotAuthorized)
    assert isinstance(Judge(Redactor())(Reply(status=400, body=body)), errors.InvalidOrder)


def test_a_good_reply_is_no_error_whatever_it_holds() -> None:
    assert Judge(Redactor())(Reply(status=200, body={"error": {"code": "AuthorizationFailed"}})) is None


def test_a_code_that_is_only_a_wrapping_gives_way_to_what_is_in_it() -> None:
    def error(*details: dict[str, str]) -> dict[str, object]:
        return {"error": {"code": "InvalidTemplateDeployment", "message": "see details", "details": list(details)}}

    assert words(error({"code": "SkuNotAvailable", "message": "none"})) == ("SkuNotAvailable", "none")
    assert words(error({"code": "NobodyKnows", "message": "none"}))[0] == "InvalidTemplateDeployment"
    assert words(error())[0] == "InvalidTemplateDeployment"
