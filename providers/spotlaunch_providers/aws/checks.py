"""What `check` finds out about an AWS account: credentials, permitted calls, quotas. Never the key or the account."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from spotlaunch.core.facts import Finding
from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError
from spotlaunch_providers.aws.access import HOME, Access
from spotlaunch_providers.aws.asking import ask_regions, only
from spotlaunch_providers.aws.errors import LOGIN, code_of
from spotlaunch_providers.aws.feeds import PRICES_FILE, Feeds
from spotlaunch_providers.aws.trials import trials
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """A quota of EC2: how many vCPUs of these families may run at a time in one region."""

    code: str
    what: str


# [3P] the first, [DOC] that new accounts have 0; [MEM] the codes of the others.
QUOTAS = (
    Quota(code="L-3819A6DF", what="spot G and VT"),
    Quota(code="L-7212CCBC", what="spot P4, P3 and P2"),
    Quota(code="L-C4BD4855", what="spot P5"),
    Quota(code="L-DB2E81BA", what="on-demand G and VT"),
    Quota(code="L-417A185B", what="on-demand P"),
)
# The smallest machine of the G families has 4 vCPUs or 2, the smallest P5 has 16.
_NEEDED = "a g6.xlarge takes 4 vCPUs, a p5.4xlarge 16, a p5.48xlarge 192"
_NO_SUCH = "NoSuchResourceException"


def findings(
    access: Access,
    settings: Settings | None = None,
    *,
    ask_s: float = ASK_S,
    now: Callable[[], float] = time.time,
) -> tuple[Finding, ...]:
    """All findings, in the order in which a person would look. What AWS refuses is a finding, not an error."""
    deadline = Deadline(ask_s)
    try:
        found = only(side_by_side([access.look], deadline=deadline, name="aws"))
    except ProviderError as e:
        return (_finding("credentials", "credentials", e),)
    if not found:
        first = Finding(kind="credentials", name="credentials", ok=False, detail="none found", hint=LOGIN)
        return (first, *_feeds(access, deadline))
    tried = trials(access, settings or Settings(provider="aws"), deadline=deadline)
    calls = [
        *_calls(access, deadline, now()),
        *(_Call(finding=trial.finding, make=trial.make) for trial in tried),
        *(_quota_call(access, quota, deadline) for quota in QUOTAS),
    ]
    outcomes = side_by_side([c.make for c in calls], deadline=deadline, most=len(calls), name="aws")
    told = [_told(call, outcome) for call, outcome in zip(calls, outcomes, strict=True)]
    return (_credentials(access, outcomes[0]), *told)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """A call to try, which returns what it found out."""

    finding: str
    make: Callable[[], str]
    quota: Quota | None = None
    region: str = ""


def _calls(access: Access, deadline: Deadline, now: float) -> Sequence[_Call]:
    def ask(
        service: str, operation: str, key: str, good: str, region: str = access.home, **what: object
    ) -> Callable[[], str]:
        def make() -> str:
            access.ask(service, operation, key, region=region, deadline=deadline, **what)
            return good

        return make

    def regions() -> str:
        enabled = ask_regions(access, deadline=deadline)
        missing = [r for r in access.regions if r not in enabled]
        return f"{len(enabled)} regions enabled" + (f"; not among them: {', '.join(missing)}" if missing else "")

    history = ask(
        "ec2",
        "describe_spot_price_history",
        "SpotPriceHistory",
        f"spot prices, tried in {access.home}",
        StartTime=datetime.fromtimestamp(now, UTC),
        MaxResults=1,
    )
    offered = [
        {"Type": "TERM_MATCH", "Field": "instanceType", "Value": "g6.xlarge"},
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": HOME},
    ]
    prices = ask(
        "pricing",
        "get_products",
        "PriceList",
        "on-demand prices",
        HOME,
        ServiceCode="AmazonEC2",
        Filters=offered,
        MaxResults=1,
    )
    return (
        _Call(
            finding="sts:GetCallerIdentity",
            make=ask("sts", "get_caller_identity", "Account", "the credentials are good"),
        ),
        _Call(finding="ec2:DescribeRegions", make=regions),
        _Call(
            finding="ec2:DescribeInstanceTypes",
            make=ask("ec2", "describe_instance_types", "InstanceTypes", "what each type holds", MaxResults=5),
        ),
        _Call(finding="ec2:DescribeSpotPriceHistory", make=history),
        _Call(finding="pricing:GetProducts", make=prices),
    )


def _quota_call(access: Access, quota: Quota, deadline: Deadline) -> _Call:
    def make() -> str:
        answer = access.ask(
            "service-quotas",
            "get_service_quota",
            "Quota",
            region=access.home,
            deadline=deadline,
            ServiceCode="ec2",
            QuotaCode=quota.code,
        )
        return f"{float(answer['Quota'].get('Value') or 0):g}"

    return _Call(finding=f"vCPUs, {quota.what}", make=make, quota=quota, region=access.home)


def _told(call: _Call, outcome: str | ProviderError) -> Finding:
    kind = "quota" if call.quota else "call"
    if isinstance(outcome, ProviderError):
        if call.quota and code_of(outcome) == _NO_SUCH:
            detail = f"{call.region} knows no quota {call.quota.code}"
            return Finding(kind="quota", name=call.finding, ok=False, detail=detail, hint="see the AWS console")
        return _finding(kind, call.finding, outcome)
    if call.quota is None:
        return Finding(kind="call", name=call.finding, ok=True, detail=outcome)
    some = float(outcome) > 0
    raise_it = (
        f"{_NEEDED}; ask for more: aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {call.quota.code} --region {call.region} --desired-value 64"
    )
    detail = f"{outcome} at a time in {call.region} ({call.quota.code})"
    return Finding(kind="quota", name=call.finding, ok=some, detail=detail, hint="" if some else raise_it)


def _credentials(access: Access, identity: str | ProviderError) -> Finding:
    where = "not needed (auth: none)" if access.anonymous else f"found by {access.method}"
    if isinstance(identity, ProviderError):
        return Finding(
            kind="credentials", name="credentials", ok=False, detail=f"{where}: {identity.message}", hint=identity.hint
        )
    return Finding(kind="credentials", name="credentials", ok=True, detail=where)


def _feeds(access: Access, deadline: Deadline) -> tuple[Finding, ...]:
    """Without credentials: whether the public feed answers."""
    if access.local and not access.feeds:
        return ()
    with tempfile.TemporaryDirectory() as folder:
        feeds = Feeds(access.feeds, Path(folder))
        (outcome,) = side_by_side([lambda: feeds.spot(deadline=deadline)], deadline=deadline, name="aws")
    if isinstance(outcome, ProviderError):
        return (_finding("call", f"public feed: {PRICES_FILE}", outcome),)
    regions = {region for region, _, _ in outcome[0]}
    detail = f"spot prices of {len(regions)} regions, without credentials"
    return (Finding(kind="call", name=f"public feed: {PRICES_FILE}", ok=True, detail=detail),)


def _finding(kind: str, name: str, error: ProviderError) -> Finding:
    return Finding(kind=kind, name=name, ok=False, detail=error.message, hint=error.hint)  # type: ignore[arg-type]
