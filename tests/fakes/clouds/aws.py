"""A fake AWS: EC2's and STS's query protocols, the Price List and Service Quotas in JSON, and the public feeds.

All regions and services are one address, as behind AWS_ENDPOINT_URL: the signature's scope says which is meant. Calls
are logged, and faults are scripted, under a path that the real one does not have: ``/ec2/us-east-1/DescribeRegions``.
Its machines are in `aws_machines`, what they stand on in `aws_ground`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws_machines import AwsMachines
from tests.fakes.clouds.aws_market import QUOTAS
from tests.fakes.clouds.aws_rules import (
    HISTORY_FILTERS,
    PARAMETERS,
    TYPE_FILTERS,
    Refused,
    any_of,
    filters_of,
    listed,
    moment,
    price_test,
    product,
    type_words,
)
from tests.fakes.clouds.aws_wire import amz_json, ec2, refusal, sts
from tests.fakes.clouds.server import Fault, Request, Response, route

# These are planted to be looked for: no output may hold them.
ACCOUNT = "210987654321"
ROLE_KEY = "ASIAMARKERROLE000001"
USER = f"arn:aws:iam::{ACCOUNT}:user/marker-user"

_SCOPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/[0-9]{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/"
    r"aws4_request, *"
    r"SignedHeaders=[a-z0-9;-]+, *Signature=[0-9a-f]{64}"
)
_VERSIONS = {"ec2": "2016-11-15", "sts": "2011-06-15"}
_TARGETS = {"pricing": "AWSPriceListService.", "servicequotas": "ServiceQuotasV20190624.", "ssm": "AmazonSSM."}
_PRICING_REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")


class FakeAws(AwsMachines):
    """AWS with 17 regions. ``keys``: the access keys that are good (None: any). ``disabled``: regions that are listed
    and yet refuse. ``page_rows``: the most that one page holds, whatever was asked."""

    name = "aws"

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__(run_machines=run_machines, boot_s=boot_s)
        self.keys: set[str] | None = None
        self.disabled: set[str] = set()
        self.unknown: set[str] = set()  # parameters and calls that this server is too old for
        self.lists_all = False  # also regions that are not enabled, without being asked for them
        self.ignored: set[str] = set()  # parameters that it passes over, and says nothing of in its answer
        self.page_rows = 1000
        self.feed_age_s = 60.0
        self.now: Callable[[], float] = time.time  # what prices move with

    @staticmethod
    def environment(url: str) -> dict[str, str]:
        """The variables that point spotlaunch at this server."""
        return {
            "AWS_ENDPOINT_URL": url,
            "SPOTLAUNCH_AWS_ADVISOR_ENDPOINT": url,
            "SPOTLAUNCH_AWS_AUTH": "none",
        }

    # -- what every call goes through --------------------------------------------------------------------

    def answer(self, request: Request) -> tuple[Response, list[Fault]]:
        scope = _SCOPE.fullmatch(request.headers.get("Authorization", ""))
        region, service = (scope["region"], scope["service"]) if scope else ("none", "ec2")
        if request.method == "GET" or request.path.startswith("/-/"):
            self._local.service = "s3"
            return super().answer(request)
        self._local.service = service
        action = self._action(service, request)
        named = Request(**{**vars(request), "path": f"/{service}/{region}/{action}"})
        response, hits = super().answer(named)
        if any(f.kind == "clock-skew" and abs(f.seconds) > 300 for f in hits):
            return self._skewed(service), hits
        return response, hits

    def _route(self, request: Request) -> Response:
        if request.method == "GET" or request.path.startswith("/-/"):
            return super()._route(request)
        service = self._local.service
        try:
            self._check_key(service, request)
            if service in _VERSIONS:
                self._check_form(service, request)
            return super()._route(request)
        except Refused as no:
            return refusal(service, *no.args)

    def not_found(self, request: Request) -> Response:
        if self._local.service == "s3":
            return refusal("s3", 404, "NoSuchKey", "The specified key does not exist.")
        action = request.path.rpartition("/")[2]
        code = "InvalidAction" if self._local.service in _VERSIONS else "UnknownOperationException"
        return refusal(self._local.service, 400, code, f"The action {action} is not valid for this web service.")

    @property
    def refusals(self) -> Mapping[str, Response]:  # type: ignore[override]
        """As each service says it: EC2 in XML with its own codes and status, the others in JSON, always 400."""
        service = self._local.service
        if service == "s3":
            slow = refusal("s3", 503, "SlowDown", "Please reduce your request rate.")
            no = refusal("s3", 403, "AccessDenied", "Access Denied")
            broken = refusal("s3", 500, "InternalError", "We encountered an internal error. Please try again.")
            return {"throttle": slow, "server-error": broken, "expired-token": no, "forbidden": no}
        call = self._local.call
        told = f"User: {USER} is not authorized to perform: {call} because no identity-based policy allows it"
        if service == "ec2":
            return {
                "throttle": refusal(service, 503, "RequestLimitExceeded", "Request limit exceeded."),
                "server-error": refusal(service, 500, "InternalError", "An internal error has occurred"),
                "expired-token": refusal(service, 400, "RequestExpired", "Request has expired."),
                "forbidden": refusal(
                    service, 403, "UnauthorizedOperation", f"You are not authorized to perform this operation. {told}"
                ),
            }
        denied = "AccessDenied" if service == "sts" else "AccessDeniedException"
        expired = "ExpiredToken" if service == "sts" else "ExpiredTokenException"
        return {
            "throttle": refusal(service, 400, "ThrottlingException", "Rate exceeded"),
            "server-error": refusal(service, 500, "InternalErrorException", "An error on the server occurred."),
            "expired-token": refusal(service, 400, expired, "The security token included in the request is expired"),
            "forbidden": refusal(service, 400, denied, told),
        }

    def _action(self, service: str, request: Request) -> str:
        if service in _VERSIONS:
            action = request.form.get("Action", "none")
        else:
            action = request.headers.get("X-Amz-Target", "none").rpartition(".")[2]
        self._local.call = f"{service}:{action}"
        return action

    def _skewed(self, service: str) -> Response:
        if service == "ec2":
            return refusal(service, 400, "RequestExpired", "Request has expired.")
        return refusal(
            service, 400, "InvalidSignatureException", "Signature expired: 20261121T100000Z is now earlier than ..."
        )

    def _check_key(self, service: str, request: Request) -> None:
        scope = _SCOPE.fullmatch(request.headers.get("Authorization", ""))
        if scope is None or "X-Amz-Date" not in request.headers:
            raise Refused(401 if service == "ec2" else 403, "MissingAuthenticationToken", "Request is missing a token")
        enabled = scope["region"] in data.REGIONS and scope["region"] not in self.disabled
        if (self.keys is not None and scope["key"] not in self.keys) or not enabled:
            if service == "ec2":
                told = "AWS was not able to validate the provided access credentials"
                raise Refused(401, "AuthFailure", told)
            code = "InvalidClientTokenId" if service == "sts" else "UnrecognizedClientException"
            raise Refused(403, code, f"The security token included in the request is invalid: {scope['key']}")

    def _check_form(self, service: str, request: Request) -> None:
        form = request.form
        if form.get("Version") != _VERSIONS[service]:
            raise Refused(400, "InvalidParameterValue", f"no version {form.get('Version')}")
        if form["Action"] in self.unknown:
            raise Refused(400, "InvalidAction", f"The action {form['Action']} is not valid for this web service.")
        known = PARAMETERS.get(form["Action"])
        if known is None:
            return  # not_found says it
        for name in form:
            plain = re.sub(r"\.[0-9]+(\..*)?$", ".N", name)
            if name not in ("Action", "Version") and (plain not in known or name in self.unknown):
                raise Refused(400, "UnknownParameter", f"The parameter {name} is not recognized")

    # -- EC2 ---------------------------------------------------------------------------------------------

    @route("POST", r"/ec2/[^/]+/DescribeRegions")
    def describe_regions(self, request: Request) -> Response:
        form = request.form
        regions = [(name, "opt-in-not-required") for name in data.REGIONS]
        if self.lists_all or form.get("AllRegions") == "true":
            regions += [(name, "not-opted-in") for name in data.NOT_OPTED_IN]
        told = [
            {"RegionName": name, "RegionEndpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": status}
            for name, status in regions
            if name in listed(form, "RegionName") or not listed(form, "RegionName")
        ]
        return ec2("DescribeRegions", {"RegionInfo": told})

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeInstanceTypes")
    def describe_instance_types(self, request: Request) -> Response:
        form, here = request.form, data.zones_of(request.found["region"])
        speaks_for_all = "IncludeUnsupportedInRegion" not in self.ignored
        everywhere = speaks_for_all and form.get("IncludeUnsupportedInRegion") == "true"
        wanted, filters = listed(form, "InstanceType"), filters_of(form, TYPE_FILTERS)
        if wanted and "MaxResults" in form:
            raise Refused(400, "InvalidParameterCombination", "InstanceTypes and MaxResults cannot be combined")
        for name in wanted:
            if name not in data.instance_types():
                raise Refused(
                    400, "InvalidInstanceType", f"The following supplied instance types do not exist: [{name}]"
                )
        rows = [
            {**told, "SupportedInRegion": name in here if speaks_for_all else None}
            for name, told in data.instance_types().items()
            if (name in wanted or not wanted)
            and (everywhere or name in here)
            and all(any_of(type_words(told, f), patterns) for f, patterns in filters.items())
        ]
        page, token = self._page(rows, form, least=5, most=100)
        return ec2("DescribeInstanceTypes", {"InstanceTypeSet": page, "NextToken": token or None})

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeInstanceTypeOfferings")
    def describe_instance_type_offerings(self, request: Request) -> Response:
        form, region = request.form, request.found["region"]
        filters = filters_of(form, {"instance-type", "location"})
        kind = form.get("LocationType", "region")
        if kind not in ("region", "availability-zone"):
            raise Refused(400, "InvalidParameterValue", f"no location type {kind}")
        rows = [
            {"InstanceType": name, "LocationType": kind, "Location": place}
            for name, zones in data.zones_of(region).items()
            for place in (zones if kind == "availability-zone" else (region,))
            if any_of([name], filters.get("instance-type", ["*"])) and any_of([place], filters.get("location", ["*"]))
        ]
        page, token = self._page(rows, form, least=5, most=1000)
        return ec2("DescribeInstanceTypeOfferings", {"InstanceTypeOfferingSet": page, "NextToken": token or None})

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeSpotPriceHistory")
    def describe_spot_price_history(self, request: Request) -> Response:
        form, region = request.form, request.found["region"]
        if "AvailabilityZone" in form and "AvailabilityZoneId" in form:
            raise Refused(400, "InvalidParameterCombination", "AvailabilityZone and AvailabilityZoneId are exclusive")
        for name in listed(form, "InstanceType"):
            if name not in data.zones_of(region):
                raise Refused(400, "InvalidParameterValue", f"Invalid instance type: {name}")
        for name in listed(form, "ProductDescription"):
            if name.removesuffix(" (Amazon VPC)") not in data.PRODUCTS:
                raise Refused(400, "InvalidParameterValue", f"Invalid product description: {name}")
        rows = sorted(self._history(region, form), key=lambda row: row["Timestamp"], reverse=True)
        page, token = self._page(rows, form, least=1, most=1000)
        # The end of its pages is an empty text, not a missing one.
        return ec2("DescribeSpotPriceHistory", {"SpotPriceHistorySet": page, "NextToken": token})

    def _history(self, region: str, form: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        filters = filters_of(form, HISTORY_FILTERS)
        types = listed(form, "InstanceType") or ["*"]
        products = [p.removesuffix(" (Amazon VPC)") for p in listed(form, "ProductDescription")] or list(data.PRODUCTS)
        now = self.now()
        start, end = moment(form, "StartTime", 0.0), min(now, moment(form, "EndTime", now))
        start = max(min(start, now), now - 90 * 86400)
        for name, zones in data.zones_of(region).items():
            spot = "spot" in data.instance_types()[name]["SupportedUsageClasses"]
            if not spot or not any_of([name], types) or not any_of([name], filters.get("instance-type", ["*"])):
                continue
            for zone in zones:
                if form.get("AvailabilityZone", zone) != zone or not any_of(
                    [zone], filters.get("availability-zone", ["*"])
                ):
                    continue
                changes = list(data.spot_changes(name, region, zone, start=start, end=end))
                if self.is_priced(name, region, zone, "spot"):
                    changes = [(changes[0][0], self.usd_hour(name, region, zone, "spot"))]
                for at, usd in changes:
                    for system in products:
                        if any_of([system], filters.get("product-description", ["*"])):
                            yield {
                                "InstanceType": name,
                                "AvailabilityZone": zone,
                                "AvailabilityZoneId": f"{region}-az{ord(zone[-1]) - 96}",
                                "ProductDescription": system,
                                "SpotPrice": f"{usd * data.PRODUCTS[system]:.6f}",
                                "Timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                            }

    def _page(
        self,
        rows: Sequence[Any],
        asked: Mapping[str, Any],
        *,
        least: int,
        most: int,
        refuse: str = "InvalidParameterValue",
    ) -> tuple[list[Any], str]:
        """The rows of the page that was asked for, and the token of the next."""
        size = int(asked.get("MaxResults") or most)
        if not least <= size <= most:
            raise Refused(400, refuse, f"MaxResults must be between {least} and {most}: {size}")
        given = {k: v for k, v in asked.items() if k != "NextToken"}
        mark = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:8]
        first = 0
        if token := asked.get("NextToken"):
            owner, _, number = base64.b64decode(token).decode("utf-8", "replace").partition(":")
            if owner != mark or not number.isdigit():
                raise Refused(400, "InvalidNextToken" if most != 100 else "InvalidPaginationToken", "no such token")
            first = int(number)
        size = min(size, self.page_rows)
        if (fault := self.paging()) == "endless-paging":
            return list(rows[:size]), base64.b64encode(f"{mark}:{first + 1}".encode()).decode()
        if fault == "empty-pages":
            return [], base64.b64encode(f"{mark}:{first + 1}".encode()).decode() if first < 2 else ""
        end = first + size
        return list(rows[first:end]), base64.b64encode(f"{mark}:{end}".encode()).decode() if end < len(rows) else ""

    # -- STS, Price List, Service Quotas -----------------------------------------------------------------

    @route("POST", r"/sts/[^/]+/GetCallerIdentity")
    def get_caller_identity(self, request: Request) -> Response:
        return sts("GetCallerIdentity", {"Arn": USER, "UserId": "AIDAMARKERMARKER1234", "Account": ACCOUNT})

    @route("POST", r"/sts/[^/]+/AssumeRole")
    def assume_role(self, request: Request) -> Response:
        """Whoever assumes a role gets this key, which is good for an hour."""
        if self.keys is not None:
            self.keys.add(ROLE_KEY)
        end = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        given = {"AccessKeyId": ROLE_KEY, "SecretAccessKey": "marker-role", "SessionToken": "marker-session"}
        user = {"AssumedRoleId": "AROAMARKERMARKER1234:me", "Arn": f"{request.form.get('RoleArn')}/me"}
        return sts("AssumeRole", {"Credentials": {**given, "Expiration": end}, "AssumedRoleUser": user})

    @route("POST", r"/pricing/(?P<region>[^/]+)/GetProducts")
    def get_products(self, request: Request) -> Response:
        asked = self._target(request, {"ServiceCode", "Filters", "FormatVersion", "NextToken", "MaxResults"})
        if request.found["region"] not in _PRICING_REGIONS:
            raise Refused(400, "InvalidParameterException", "there is no Price List service in this region")
        if asked.get("ServiceCode") != "AmazonEC2":
            raise Refused(400, "InvalidParameterException", "The service code is not valid")
        tests = [price_test(f) for f in asked.get("Filters", ())]
        rows = [self._priced(p) for p in data.products() if all(test(p) for test in tests)]
        page, token = self._page(rows, asked, least=1, most=100, refuse="InvalidParameterException")
        body: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": [product(p) for p in page]}
        return amz_json({**body, "NextToken": token} if token else body)

    def _priced(self, told: Mapping[str, str]) -> Mapping[str, str]:
        name, region = told["instanceType"], told["regionCode"]
        if not self.is_priced(name, region, "", "on-demand") or told["marketoption"] != "OnDemand":
            return told
        return {**told, "usd": f"{self.usd_hour(name, region, '', 'on-demand'):.10f}"}

    @route("POST", r"/servicequotas/(?P<region>[^/]+)/GetServiceQuota")
    def get_service_quota(self, request: Request) -> Response:
        asked = self._target(request, {"ServiceCode", "QuotaCode", "ContextId"})
        code = asked.get("QuotaCode", "")
        if asked.get("ServiceCode") != "ec2" or code not in self.quotas:
            raise Refused(
                400, "NoSuchResourceException", "The request failed because the specified quota does not exist"
            )
        told = {
            "ServiceCode": "ec2",
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaCode": code,
            "QuotaArn": f"arn:aws:servicequotas:{request.found['region']}:{ACCOUNT}:ec2/{code}",
            "QuotaName": QUOTAS[code][0],
            "Value": self.quotas[code],
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
        return amz_json({"Quota": told})

    def _target(self, request: Request, known: set[str]) -> dict[str, Any]:
        service = self._local.service
        if not request.headers.get("X-Amz-Target", "").startswith(_TARGETS[service]):
            raise Refused(400, "UnknownOperationException", "no such target")
        asked: dict[str, Any] = request.json or {}
        for name in asked:
            if name not in known:
                raise Refused(400, "SerializationException", f"{name} is not a member")
        return asked

    # -- the public feeds --------------------------------------------------------------------------------

    @route("GET", r"/spot-advisor-data\.json")
    def advisor(self, request: Request) -> Response:
        return Response(body=data.advisor(), headers=self._made())

    @route("GET", r"/spot\.json")
    def price_feed(self, request: Request) -> Response:
        return Response(body=data.price_feed(self.now()), headers=self._made())

    def _made(self) -> dict[str, str]:
        made = formatdate(time.time() - self.feed_age_s, usegmt=True)
        return {"Last-Modified": made, "Content-Type": "application/json"}
