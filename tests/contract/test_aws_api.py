"""What the fake AWS accepts and answers, held against botocore's models of the services."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser

from spotlaunch.core.facts import Order, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.aws.access import EC2_CALLS, Access
from spotlaunch_providers.aws.adapter import AwsProvider
from spotlaunch_providers.aws.checks import findings
from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws import FakeAws
from tests.fakes.clouds.aws_market import QUOTAS
from tests.fakes.clouds.aws_rules import HISTORY_FILTERS, PARAMETERS, TYPE_FILTERS
from tests.fakes.clouds.server import Request, Response

ROOT = Path(__file__).parents[2]
MODELS = {"ssm": "ssm", "ec2": "ec2", "sts": "sts", "pricing": "pricing", "servicequotas": "service-quotas"}
JSON_SERVICES = ("pricing", "servicequotas", "ssm")


@pytest.fixture(scope="module")
def session() -> Any:
    return botocore.session.Session()


def model(session: Any, service: str) -> ServiceModel:
    return session.get_service_model(MODELS[service])


class Recorder(FakeAws):
    """The fake, with what it answered to each call."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[tuple[Request, Response]] = []

    def _route(self, request: Request) -> Response:
        response = super()._route(request)
        self.answered.append((request, response))
        return response


@pytest.fixture
def cloud() -> Iterator[Recorder]:
    made = Recorder()
    with made.serving():
        yield made


Asked = list[tuple[str, str, Request, Response]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Every call that the adapter makes: (service, action, request, response)."""
    cloud = Recorder()
    with cloud.serving():
        return ask_everything(cloud, tmp_path_factory.mktemp("aws"))


def ask_everything(cloud: Recorder, tmp_path: Any) -> Asked:
    values = {"endpoint": cloud.url, "auth": "none"}
    access = Access(Settings(provider="aws", values=values), tries=1)
    AwsProvider(owner="o", folder=tmp_path, access=access).offers(Want())
    live_a_life(cloud, AwsProvider(owner="o", folder=tmp_path, access=access))
    cloud.page_rows = 30
    AwsProvider(owner="o", folder=tmp_path, access=access).offers(Want(gpus=(("L4", 0),)))
    findings(access)
    found = []
    for request, response in cloud.answered:
        match = re.fullmatch(r"/(\w+)/[^/]+/(\w+)", request.path)
        assert match, request.path
        found.append((match[1], match[2], request, response))
    return found


def live_a_life(cloud: Recorder, provider: AwsProvider) -> None:
    """Launch in both markets with all that an order may hold, list, end, and clear up a disk and a key pair."""
    offers = [o for o in provider.offers(Want(gpus=(("L4", 1),))) if o.pool.region == "us-east-1"]
    ids = []
    for n, market in enumerate(("spot", "on-demand"), start=1):
        order = Order(
            launch_key=f"sl-o-job-{n}-0",
            job="job",
            attempt=n,
            alternatives=tuple(o for o in offers if o.pool.market == market)[:1],
            script="#!/bin/sh\n",
            price_cap_usd_hour=Decimal(9),
            disk_gb=200,
            ssh_key="ssh-ed25519 AAAA me",
        )
        ids.append(provider.launch(order).instance_id)
    cloud.instances[ids[0]].keeps_volume = True
    machines = {m.instance_id for m in provider.list_machines()}
    assert machines == set(ids)
    assert provider.terminate([*ids, "i-00000000000000000"]) == {}
    keys, listing = provider._tools.key_pairs, provider._tools.listing
    keys._used_at.clear()  # an hour has passed
    listing._volumes_at.clear()
    left = [m.instance_id for m in provider.list_machines() if m.phase == "stopped"]
    assert provider.terminate(left) == {} and not cloud.fleet.left() and not any(cloud.keys_of.values())


def test_the_permissions_are_exactly_the_calls_that_are_made(asked: Asked) -> None:
    policy = json.loads((ROOT / "configs" / "permissions" / "aws.json").read_text())
    assert {(s["Effect"], s["Resource"]) for s in policy["Statement"]} == {("Allow", "*")}
    permitted = [action for s in policy["Statement"] for action in s["Action"]]
    assert len(permitted) == len(set(permitted))
    called = {f"{service}:{action}" for service, action, _, _ in asked} - {"sts:GetCallerIdentity"}  # needs none
    if any(name.startswith("TagSpecification.") for _, _, request, _ in asked for name in request.form):
        called.add("ec2:CreateTags")  # what making a thing with tags needs beside
    assert called == set(permitted)


def test_every_call_is_an_operation_and_every_parameter_is_a_member_of_its_input(asked: Asked, session: Any) -> None:
    seen = set()
    for service, action, request, _ in asked:
        operation = model(session, service).operation_model(action)
        seen.add((service, action))
        if service in JSON_SERVICES:
            given = set(request.json)
            assert request.headers["X-Amz-Target"] == f"{operation.service_model.metadata['targetPrefix']}.{action}"
        else:
            given = {name.partition(".")[0] for name in request.form} - {"Action", "Version"}
            assert request.form["Version"] == operation.service_model.api_version
        assert given <= wire_names(operation.input_shape, service), action
    assert seen == {
        *(("ec2", action) for action in EC2_CALLS),
        ("ssm", "GetParameter"),
        ("sts", "GetCallerIdentity"),
        ("pricing", "GetProducts"),
        ("servicequotas", "GetServiceQuota"),
    }


def test_what_the_fake_accepts_is_what_the_api_accepts(session: Any) -> None:
    for action, names in PARAMETERS.items():
        service = "sts" if action in ("GetCallerIdentity", "AssumeRole") else "ec2"
        shape = model(session, service).operation_model(action).input_shape
        known = wire_names(shape, service)
        given = {name.removesuffix(".N") for name in names}
        assert given <= known, action
        assert service == "sts" or given == known, action
        lists = {name.removesuffix(".N") for name in names if name.endswith(".N")}
        assert lists == {n for n in given if isinstance(member(shape, service, n), ListShape)}, action


@pytest.mark.parametrize(
    ("action", "filters"), [("DescribeInstanceTypes", TYPE_FILTERS), ("DescribeSpotPriceHistory", HISTORY_FILTERS)]
)
def test_the_filters_are_those_that_are_documented(session: Any, action: str, filters: set[str]) -> None:
    shape = model(session, "ec2").operation_model(action).input_shape
    told = re.findall(r"<code>([a-z.-]+)</code> ?[-–]", shape.members["Filters"].documentation)
    assert filters <= set(told)
    if action == "DescribeSpotPriceHistory":
        assert filters == set(told)


def test_every_answer_is_read_whole_by_botocore(asked: Asked, session: Any) -> None:
    parsed: dict[str, list[dict[str, Any]]] = {}
    for service, action, _, response in asked:
        operation = model(session, service).operation_model(action)
        parser = create_parser(operation.service_model.metadata["protocol"])
        told = {"status_code": response.status, "headers": dict(response.headers), "body": response.content}
        answer = parser.parse(told, operation.output_shape)
        if response.status != 200:  # a call that was only tried, or what is gone already
            assert answer["Error"]["Code"] in ("DryRunOperation", "InvalidInstanceID.NotFound"), action
            continue
        assert not unread(operation.output_shape, response, answer, service), action
        parsed.setdefault(action, []).append(answer)
    types = {t["InstanceType"]: t for page in parsed["DescribeInstanceTypes"] for t in page["InstanceTypes"]}
    for name, told in types.items():
        # Value by value: a member that is spelled wrongly on the wire would be missing here.
        assert {k: v for k, v in told.items() if k != "SupportedInRegion"} == {
            k: v for k, v in data.instance_types()[name].items() if k != "SupportedInRegion"
        }
    assert sum(map(data.has_gpus, types)) == 66
    assert all(row["SpotPrice"] for page in parsed["DescribeSpotPriceHistory"] for row in page["SpotPriceHistory"])
    assert any(page.get("NextToken") == "" for page in parsed["DescribeSpotPriceHistory"])
    assert any(page.get("NextToken") for page in parsed["DescribeSpotPriceHistory"])
    assert {r["RegionName"] for r in parsed["DescribeRegions"][0]["Regions"]} == set(data.REGIONS)
    assert json.loads(parsed["GetProducts"][0]["PriceList"][0])["terms"]["OnDemand"]
    assert {p["Quota"]["QuotaCode"] for p in parsed["GetServiceQuota"]} == set(QUOTAS)


@pytest.mark.parametrize("kind", ["throttle", "server-error", "expired-token", "forbidden"])
@pytest.mark.parametrize(
    ("service", "action"),
    [
        ("ec2", "DescribeRegions"),
        ("sts", "GetCallerIdentity"),
        ("pricing", "GetProducts"),
        ("servicequotas", "GetServiceQuota"),
    ],
)
def test_every_refusal_is_read_by_botocore_as_a_code_and_words(
    cloud: Recorder, session: Any, kind: str, service: str, action: str
) -> None:
    cloud._local.service, cloud._local.call = service, f"{service}:{action}"
    response = cloud.refusals[kind]
    operation = model(session, service).operation_model(action)
    parser = create_parser(operation.service_model.metadata["protocol"])
    told = {"status_code": response.status, "headers": dict(response.headers), "body": response.content}
    error = parser.parse(told, operation.output_shape)["Error"]
    assert error["Code"] and not error["Code"].isdigit() and error["Message"]
    if service == "pricing" and kind != "expired-token":  # that one is common to all services
        assert error["Code"] in {shape.name for shape in operation.error_shapes}


def test_what_the_cloud_would_refuse_the_fake_refuses(cloud: Recorder) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})

    made = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b")

    @cache
    def client(service: str, region: str) -> Any:
        return made.client(service, region_name=region, endpoint_url=cloud.url, config=config)

    def refused(service: str, operation: str, *, region: str = "us-east-1", **what: Any) -> str:
        with pytest.raises(ClientError) as caught:
            getattr(client(service, region), operation)(**what)
        return caught.value.response["Error"]["Code"]

    history, types = ("ec2", "describe_spot_price_history"), ("ec2", "describe_instance_types")
    odd = [{"Name": "nosuch", "Values": ["x"]}]
    assert refused(*history, Filters=odd) == refused(*types, Filters=odd) == "InvalidParameterValue"
    assert refused(*types, MaxResults=101) == refused(*types, MaxResults=4) == "InvalidParameterValue"
    assert refused(*history, MaxResults=1001, StartTime=time.time()) == "InvalidParameterValue"
    assert refused(*history, InstanceTypes=["p9.large"]) == "InvalidParameterValue"
    assert refused(*types, InstanceTypes=["p9.large"]) == "InvalidInstanceType"
    assert refused(*history, NextToken="bm9uZQ==", StartTime=time.time()) == "InvalidNextToken"
    assert refused(*history, AvailabilityZone="us-east-1a", AvailabilityZoneId="use1-az1")[:7] == "Invalid"
    assert refused(*history, region="af-south-1") == "AuthFailure"
    assert refused("ec2", "describe_vpcs") == "InvalidAction"
    prices = ("pricing", "get_products")
    assert refused(*prices, ServiceCode="AmazonEC9") == "InvalidParameterException"
    assert refused(*prices, ServiceCode="AmazonEC2", MaxResults=101) == "InvalidParameterException"
    assert refused(*prices, ServiceCode="AmazonEC2", region="eu-west-1") == "InvalidParameterException"
    wrong = [{"Type": "TERM_MATCH", "Field": "colour", "Value": "red"}]
    assert refused(*prices, ServiceCode="AmazonEC2", Filters=wrong) == "InvalidParameterException"
    quota = {"ServiceCode": "ec2", "QuotaCode": "L-00000000"}
    assert refused("service-quotas", "get_service_quota", **quota) == "NoSuchResourceException"


# -- how the wire is spelled -------------------------------------------------------------------------------


def wire_names(shape: Shape | None, service: str) -> set[str]:
    """The names of an input's members on the wire."""
    if not isinstance(shape, StructureShape):
        return set()
    if service != "ec2":
        return set(shape.members)
    # The protocol ec2: queryName, else the locationName with its first letter in upper case, else the name itself.
    return {ec2_name(name, member) for name, member in shape.members.items()}


def ec2_name(name: str, shape: Shape) -> str:
    told = shape.serialization.get("queryName") or shape.serialization.get("name") or name
    return told[:1].upper() + told[1:]


def member(shape: Any, service: str, wire: str) -> Shape:
    members: dict[str, Shape] = shape.members
    return next(m for name, m in members.items() if (ec2_name(name, m) if service == "ec2" else name) == wire)


def unread(shape: Any, response: Response, answer: dict[str, Any], service: str) -> set[str]:
    """The words of an answer that its model does not know: elements or keys of the wire."""
    if service in JSON_SERVICES:
        return unread_keys(shape, json.loads(response.content))
    import xml.etree.ElementTree as ET

    root = ET.fromstring(response.content)
    known = elements(shape) | {
        "requestId",
        "item",
        "ResponseMetadata",
        "RequestId",
        f"{root.tag.split('}')[1][:-8]}Result",
    }
    return {e.tag.split("}")[1] for e in root.iter() if e is not root} - known


def unread_keys(shape: Any, told: Any) -> set[str]:
    if isinstance(shape, StructureShape):
        unknown = set(told) - set(shape.members)
        return unknown.union(*(unread_keys(shape.members[k], v) for k, v in told.items() if k in shape.members))
    if isinstance(shape, ListShape):
        return set().union(*(unread_keys(shape.member, v) for v in told))
    return set()


def elements(shape: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """Every element that an answer of this shape may hold."""
    if shape is None:  # it says nothing
        return set()
    if shape.name in seen:
        return set()
    seen |= {shape.name}
    if isinstance(shape, StructureShape):
        names = {m.serialization.get("name", name) for name, m in shape.members.items()}
        return names.union(*(elements(m, seen) for m in shape.members.values()))
    return elements(shape.member, seen) if isinstance(shape, ListShape) else set()
