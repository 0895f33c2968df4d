"""Who we are at AWS: credentials by boto3's own chain, clients made when first needed, answers in pages."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spotlaunch import __version__
from spotlaunch.core.settings import Settings, is_loopback
from spotlaunch.errors import OutcomeUnknown, ProviderError, Transient, UsageError
from spotlaunch.workers import Workers
from spotlaunch_providers.aws import errors
from spotlaunch_providers.aws.credentials import at_hand, may_be_amazons
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import CONNECT_S, MOST_PAGES
from spotlaunch_providers.shared.redact import Redactor

if TYPE_CHECKING:
    import boto3

# Serves all regions' prices, and every account has it enabled.
HOME = "us-east-1"
READ_S = 10.0
# EC2 may look for a machine for a while before it says that there is none.
MAKE_S = 45.0
TRIES = 3

# All that is asked of EC2. boto3 makes a method for each of its 800 operations, in every region's client anew, which
# takes longer than all the answers; so clients get these only.
EC2_CALLS = (
    *("DescribeRegions", "DescribeInstanceTypes", "DescribeSpotPriceHistory", "DescribeInstanceTypeOfferings"),
    *("DescribeSubnets", "DescribeSecurityGroups", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"),
    *("DescribeImages", "ImportKeyPair", "DeleteKeyPair", "RunInstances", "DescribeInstances", "TerminateInstances"),
    *("DescribeVolumes", "DeleteVolume"),
)

# A region's name as AWS forms it; the API answers a wrong one only with a name that no server has.
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}")

# The narrowed model of EC2 by its version. It is a large file, which a process reads once.
_narrowed: dict[str | None, Any] = {}
_reading = threading.Lock()


class Access:
    """The account, as the settings name it. Making one reads settings only; credentials come with `look`.

    ``tries``: how often one call is sent at most. Raises `UsageError` for a setting that cannot be used.
    """

    def __init__(self, settings: Settings, *, tries: int = TRIES) -> None:
        self.endpoint = settings.url("endpoint", "") if settings.get("endpoint") else ""
        self.anonymous = settings.anonymous("endpoint")
        self.regions = _regions(settings)
        self.feeds = _feeds(settings)
        self.local = bool(self.endpoint) and is_loopback(self.endpoint)
        self.redact = Redactor()
        self.method = ""
        self._profile = settings.get("profile")
        self._tries = tries
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str, bool], Any] = {}

    def at_hand(self) -> bool:
        """Whether there are credentials, as far as that can be told without a call over the network.

        Those that are there and broken count: using them tells what is wrong.
        """
        return self.anonymous or at_hand(self._profile, local=self.local)

    @property
    def home(self) -> str:
        """The region for what is the same everywhere: the profile's, else the first that was set."""
        self.look()
        assert self._session is not None
        return str(self._session.region_name)

    def look(self) -> bool:
        """Find credentials; whether there are any. Asks a metadata service only on a machine of Amazon's.

        Raises `NotAuthorized` when there are some that cannot be used.
        """
        import boto3
        import botocore.session
        from botocore.exceptions import BotoCoreError

        with self._lock:
            if self._session is not None:
                return bool(self.method)
            try:
                core = botocore.session.Session(profile=self._profile or None)
                _narrow(core.get_component("data_loader"))
                if not core.get_config_variable("region"):
                    core.set_config_variable("region", self.regions[0] if self.regions else HOME)
                if self.anonymous:
                    # Signed with nobody's key: only the signature tells a stand-in which region is meant.
                    core.set_credentials("anonymous", "anonymous")
                elif self.local or not may_be_amazons():
                    core.get_component("credential_provider").remove("iam-role")
                found = core.get_credentials()
                self._session = boto3.Session(botocore_session=core)
            except BotoCoreError as e:
                raise errors.of_exception(e, call="credentials", redact=self.redact) from e
            if found is None:
                return False
            self.method = str(found.method)
            self.redact = Redactor(_known(found))
            return True

    def ask(
        self, service: str, operation: str, key: str, *, region: str, deadline: Deadline, **what: Any
    ) -> dict[str, Any]:
        """The answer to one call, as boto3 gives it. ``operation`` in boto3's spelling: ``describe_regions``.

        Raises what the table of `errors` makes of a refusal, and `Transient` after the deadline and for an answer
        that has nothing under ``key``: of half a document boto3 makes an empty answer.
        """
        deadline.check("asking")
        answer = self._call(self._client(service, region), service, operation, what, errors.of_exception)
        if key not in answer:
            raise Transient("answered with something else than was asked", hint="try again")
        return answer

    def act(self, operation: str, key: str, *, region: str, deadline: Deadline, **what: Any) -> dict[str, Any]:
        """The answer to a call of EC2 that makes or ends something: sent once, and never again.

        Raises what the table of `errors` makes of a refusal, `Transient` where surely nothing was sent, and
        `OutcomeUnknown` for everything else: also for a code that no table knows, which `errors.code_of` tells.
        An empty ``key`` stands for an answer that says nothing.
        """
        deadline.check("asking")
        self.look()
        client = self._client("ec2", region, once=True)
        workers = Workers(1, name="aws-act")
        # In a thread of its own: an answer that drips keeps every single read within its timeout.
        sent = workers.submit(self._call, client, "ec2", operation, what, errors.of_action)
        workers.shutdown(wait=False)
        try:
            answer = sent.result(timeout=deadline.left_s())
        except TimeoutError as e:
            raise OutcomeUnknown(f"{operation} was not answered within {deadline.seconds:.3g} s") from e
        if key and key not in answer:
            raise OutcomeUnknown(f"{operation} was answered with something else than was asked")
        return answer

    def _call(
        self, client: Any, service: str, operation: str, what: Mapping[str, Any], judge: Callable[..., ProviderError]
    ) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(client, operation)(**what)
        except ParamValidationError:
            raise  # a mistake of ours, which no other try mends
        except (ClientError, BotoCoreError, ResponseParserError) as e:
            call = f"{service}:{''.join(w.capitalize() for w in operation.split('_'))}"
            raise judge(e, call=call, redact=self.redact) from e
        return answer

    def pages(
        self, service: str, operation: str, key: str, *, region: str, deadline: Deadline, **what: Any
    ) -> Iterator[Mapping[str, Any]]:
        """The items under ``key`` of all pages. As `ask`, and raises `Transient` when the pages do not end.

        Not boto3's paginator: it follows pages for ever.
        """
        token, seen = "", set[str]()
        while True:
            more = {"NextToken": token} if token else {}
            page = self.ask(service, operation, key, region=region, deadline=deadline, **what, **more)
            yield from page[key]
            token = page.get("NextToken") or ""  # the last page has an empty text, or nothing
            if not token:
                return
            if token in seen or len(seen) >= MOST_PAGES:
                raise Transient("its pages do not end", hint="try again; if it stays so, report it")
            seen.add(token)

    def takes(self, service: str, operation: str, parameter: str, *, region: str) -> bool:
        """Whether the installed boto3 knows a parameter: newer ones are not in older releases."""
        model = self._client(service, region).meta.service_model.operation_model(operation)
        return parameter in model.input_shape.members

    def _client(self, service: str, region: str, *, once: bool = False) -> Any:
        """A client, made once. Making one takes 20 ms, and is not safe in several threads at a time; using one is."""
        self.look()
        with self._lock:
            client = self._clients.get((service, region, once))
            if client is None:
                assert self._session is not None
                make: Any = self._session.client
                config = self._config(tries=1 if once else self._tries, read_s=MAKE_S if once else READ_S)
                client = make(service, region_name=region, endpoint_url=self.endpoint or None, config=config)
                self._clients[service, region, once] = client
            return client

    def _config(self, *, tries: int, read_s: float) -> Any:
        from botocore.config import Config

        return Config(
            connect_timeout=CONNECT_S,
            read_timeout=read_s,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=16,
            user_agent_extra=f"spotlaunch/{__version__}",
            proxies={} if self.local else None,  # a proxy cannot reach this computer
        )


def _narrow(loader: Any) -> None:
    """Let a session know the operations of `EC2_CALLS` only. Other services stay whole: boto3 itself asks some of
    them for credentials."""
    whole = loader.load_service_model

    def load(service_name: str, type_name: str, api_version: str | None = None) -> Any:
        if (service_name, type_name) != ("ec2", "service-2"):
            return whole(service_name, type_name, api_version)
        with _reading:
            if api_version not in _narrowed:
                model = whole(service_name, type_name, api_version)
                calls = {name: model["operations"][name] for name in EC2_CALLS}
                _narrowed[api_version] = {**model, "operations": calls}
            return _narrowed[api_version]

    loader.load_service_model = load


def _regions(settings: Settings) -> tuple[str, ...]:
    regions = tuple(dict.fromkeys(settings.words("regions")))
    for region in regions:
        if not _REGION.fullmatch(region):
            raise UsageError(
                f"aws: {region[:40]!r} is not a region ({settings.origin.get('regions', '')})",
                hint="write regions like us-east-1, with commas between",
            )
    return regions


def _feeds(settings: Settings) -> str:
    """The base of the public feeds where one is set, without a feed's own name at its end."""
    if not settings.get("advisor_endpoint"):
        return ""
    return re.sub(r"/[\w-]+\.json$", "", settings.url("advisor_endpoint", ""))


def _known(credentials: Any) -> Sequence[str]:
    """The words that must not be told. Only of credentials that are at hand: asking others would renew them."""
    from botocore.credentials import Credentials

    if type(credentials) is not Credentials:
        return ()
    return [w for w in (credentials.access_key, credentials.secret_key, credentials.token) if w]
