"""The slice of azure-mgmt-compute that we use, with its exceptions as our errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spotlaunch.core.settings import is_loopback
from spotlaunch.errors import NotAuthorized, Throttled, Transient
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.credentials import HINT
from spotlaunch_providers.azure.errors import as_error
from spotlaunch_providers.shared.http import plain_session
from spotlaunch_providers.shared.redact import Redactor

if TYPE_CHECKING:
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.compute.models import Usage

_CONNECT_S = 5


def compute_client(account: Account, *, retries: int = 0) -> ComputeManagementClient:
    """Azure's own client. It is given no logging: its log lines hold the id of the subscription."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.mgmt.compute import ComputeManagementClient

    class Header(SansIOHTTPPolicy):  # type: ignore[type-arg]
        def on_request(self, request: Any) -> None:
            request.http_request.headers["Authorization"] = account.tokens.header()

    session = plain_session()
    session.trust_env = not is_loopback(account.endpoint)
    options: dict[str, Any] = {
        # Azure's policy for tokens refuses plain http, which is fine for servers on this computer; ours adds a header.
        "authentication_policy": Header(),
        "http_logging_policy": SansIOHTTPPolicy(),
        "transport": RequestsTransport(session=session, session_owner=False),
        "retry_total": retries,
        "connection_timeout": _CONNECT_S,
    }
    credential: Any = account.tokens
    return ComputeManagementClient(credential, account.subscription, base_url=account.endpoint, **options)


def usages(account: Account, region: str, *, timeout_s: float, redact: Redactor) -> list[Usage]:
    """How much of each quota of ``region`` is used. Raises a `ProviderError`."""
    with as_our_errors(redact):
        client = compute_client(account, retries=1)
        return list(client.usage.list(region, read_timeout=timeout_s))


@contextmanager
def as_our_errors(redact: Redactor) -> Iterator[None]:
    """What Azure's libraries raise inside becomes one of our errors; classified by Azure's code, not by class."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, DecodeError, HttpResponseError

    try:
        yield
    except (DecodeError, ValueError) as e:
        raise Transient("answered with something that is not JSON", hint="try again") from e
    except HttpResponseError as e:
        raise _of_response(e, redact) from e
    except AzureError as e:
        if isinstance(e, ClientAuthenticationError):
            raise NotAuthorized(redact(e.message), hint=HINT) from e
        raise Transient(f"cannot be reached: {redact(type(e).__name__)}", hint="is the network up?") from e


def _of_response(error: Any, redact: Redactor) -> Exception:
    code = str(getattr(error.error, "code", None) or "")
    said = str(getattr(error.error, "message", None) or "")
    status = error.status_code or 0
    if code:
        return as_error(code, said, status=status, redact=redact)
    if status == 429:
        return Throttled("too many calls")
    return Transient(f"answered with HTTP {status}" if status else "the connection broke off", hint="try again")


def later(account: Account, region: str, *, timeout_s: float, redact: Redactor) -> Callable[[], list[Usage]]:
    """`usages`, to be called later."""
    return lambda: usages(account, region, timeout_s=timeout_s, redact=redact)
