"""Who we are to Azure: where credentials were found, and a token that is kept while it is good.

What is not there is not tried. `DefaultAzureCredential` would ask everybody in turn (metadata services, four
command-line tools), which takes many seconds on a computer that has nothing to do with Azure.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch_providers.azure.constants import TOKEN_SCOPE
from spotlaunch_providers.shared.redact import Redactor

# DefaultAzureCredential's word for each kind, and ours. Interactive ones are left out: nobody may be there.
KINDS = {
    "environment": "a service principal in AZURE_CLIENT_ID",
    "workload_identity": "a workload identity in AZURE_FEDERATED_TOKEN_FILE",
    "managed_identity": "the managed identity of this machine",
    "cli": "the login of the Azure CLI (az)",
    "developer_cli": "the login of the Azure Developer CLI (azd)",
    "powershell": "the login of Azure PowerShell",
}
_NEVER = ("interactive_browser", "shared_token_cache", "visual_studio_code", "broker")

HINT = "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"

# [MEM] What the firmware of every Azure machine says of its chassis; cloud-init knows Azure by it too.
_AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
_TAG_FILE = Path("/sys/class/dmi/id/chassis_asset_tag")
_RENEWED_S = 300.0
_LONGEST_TOOL_S = 8


def kinds(environ: Mapping[str, str] = os.environ, *, tag_file: Path | None = None) -> tuple[str, ...]:
    """The kinds of credentials that this computer seems to have. Reads files, calls nobody, starts nothing."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "/nonexistent")
    azure = Path(environ.get("AZURE_CONFIG_DIR") or home / ".azure")
    tools = environ.get("PATH", "")
    principal = environ.get("AZURE_CLIENT_SECRET") or environ.get("AZURE_CLIENT_CERTIFICATE_PATH")
    there = {
        "environment": bool(environ.get("AZURE_CLIENT_ID") and environ.get("AZURE_TENANT_ID") and principal),
        "workload_identity": bool(environ.get("AZURE_FEDERATED_TOKEN_FILE")),
        "managed_identity": bool(environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT"))
        or _read(tag_file or _TAG_FILE) == _AZURE_TAG,
        "cli": (azure / "azureProfile.json").is_file() and bool(shutil.which("az", path=tools)),
        "developer_cli": (home / ".azd").is_dir() and bool(shutil.which("azd", path=tools)),
        "powershell": (home / ".Azure" / "AzureRmContext.json").is_file() and bool(shutil.which("pwsh", path=tools)),
    }
    return tuple(kind for kind in KINDS if there[kind])


class Tokens:
    """A bearer token for Resource Manager, asked for when first needed and renewed before it ends.

    Serves Azure's own clients as their credential too, so that all of us share one token: the Azure CLI takes
    about a second for each. ``make`` gives the credential behind it.
    """

    def __init__(self, found: tuple[str, ...], *, make: Callable[[], Any] | None = None) -> None:
        self._make = make or (lambda: _credential(found))
        self._clock = time.time
        self._lock = threading.Lock()
        self._credential: Any = None
        self._held: Any = None

    def __repr__(self) -> str:
        return "Tokens(***)"

    def header(self) -> str:
        """What stands in the Authorization header. Raises `NotAuthorized` or `Transient`."""
        return f"Bearer {self.get_token(TOKEN_SCOPE).token}"

    def get_token(self, *_: str, **__: Any) -> Any:
        """As ``azure.core.credentials.TokenCredential``; there is one scope, whatever is asked for."""
        with self._lock:
            if self._held is None or self._held.expires_on - self._clock() < _RENEWED_S:
                self._held = self._asked()
            return self._held

    def _asked(self) -> Any:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        redact = Redactor(secrets_of(os.environ))
        try:
            if self._credential is None:
                self._credential = self._make()
            return self._credential.get_token(TOKEN_SCOPE)
        except ClientAuthenticationError as e:
            raise NotAuthorized(f"no token: {redact(reason(str(e)))}", hint=HINT) from e
        except (AzureError, ValueError) as e:  # ValueError: an identifier or an authority in the wrong form
            raise Transient(f"no token: {redact(reason(str(e)))}", hint="is the network up?") from e


class Placeholder:
    """For servers on this computer that want no credentials, but an Authorization header all the same."""

    def header(self) -> str:
        """The same always."""
        return "Bearer none"


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What must not be told of the environment: secrets, and the ids of directory and account."""
    names = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_PASSWORD", "AZURE_USERNAME")
    return tuple(environ[name] for name in names if environ.get(name))


def reason(said: str) -> str:
    """The sentence that tells why, of a message that may run over pages with every credential that was tried."""
    tried = said.partition("Attempted credentials:")[2] or said
    known = re.search(r"AADSTS\d+:.*?(?:\.(?=\s)|$)", tried, re.DOTALL)
    if known:
        return known[0].strip()
    lines = [line.strip() for line in tried.splitlines() if line.strip()]
    line = (lines or ["Azure gave no reason"])[0]
    name, _, rest = line.partition(": ")
    line = rest if name.endswith("Credential") and rest else line
    return re.split(r"(?<=[.!])\s", line, maxsplit=1)[0]


def _credential(found: tuple[str, ...]) -> Any:
    from azure.identity import DefaultAzureCredential

    left_out = {f"exclude_{kind}_credential": True for kind in (*KINDS, *_NEVER) if kind not in found}
    return DefaultAzureCredential(**left_out, process_timeout=_LONGEST_TOOL_S, retry_total=1)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
