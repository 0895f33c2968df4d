"""What the fake Azure takes: the shape of a machine's PUT, and every way in which it refuses a launch."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from tests.fakes.clouds.azure_wire import refusal
from tests.fakes.clouds.server import Response

_ID = {"id": str}
# A dict: these keys and no others. A list of one: a list of such. A set: one of these words. A type: that.
SHAPE: Mapping[str, Any] = {
    "location": str,
    "tags": Mapping,
    "zones": [str],
    "properties": {
        "hardwareProfile": {"vmSize": str},
        "priority": {"Regular", "Low", "Spot"},
        "evictionPolicy": {"Deallocate", "Delete"},
        "billingProfile": {"maxPrice": (int, float)},
        "storageProfile": {
            "imageReference": {
                "publisher": str,
                "offer": str,
                "sku": str,
                "version": str,
                "id": str,
                "communityGalleryImageId": str,
                "sharedGalleryImageId": str,
            },
            "osDisk": {
                "name": str,
                "createOption": {"FromImage", "Attach", "Empty"},
                "deleteOption": {"Delete", "Detach"},
                "diskSizeGB": int,
                "managedDisk": {"storageAccountType": {"Premium_LRS", "StandardSSD_LRS", "Standard_LRS"}},
            },
        },
        "osProfile": {
            "computerName": str,
            "adminUsername": str,
            "customData": str,
            "linuxConfiguration": {
                "disablePasswordAuthentication": bool,
                "ssh": {"publicKeys": [{"path": str, "keyData": str}]},
            },
        },
        "networkProfile": {
            "networkApiVersion": {"2020-11-01", "2022-11-01"},
            "networkInterfaceConfigurations": [
                {
                    "name": str,
                    "properties": {
                        "primary": bool,
                        "deleteOption": {"Delete", "Detach"},
                        "networkSecurityGroup": _ID,
                        "ipConfigurations": [
                            {
                                "name": str,
                                "properties": {
                                    "subnet": _ID,
                                    "primary": bool,
                                    "publicIPAddressConfiguration": {
                                        "name": str,
                                        "sku": {"name": {"Standard"}, "tier": {"Regional", "Global"}},
                                        "properties": {
                                            "deleteOption": {"Delete", "Detach"},
                                            "publicIPAllocationMethod": {"Static"},
                                        },
                                    },
                                },
                            }
                        ],
                    },
                }
            ],
        },
    },
}


def wrong(value: Any, shape: Any = SHAPE, where: str = "") -> str:
    """The first thing in ``value`` that is not of the shape; empty if there is none."""
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return f"{where} is no object"
        for key, inner in value.items():
            if key not in shape:
                return f"Could not find member '{key}' on object at {where or '/'}"
            if found := wrong(inner, shape[key], f"{where}.{key}"):
                return found
        return ""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        return next((found for n, v in enumerate(value) if (found := wrong(v, shape[0], f"{where}[{n}]"))), "")
    if isinstance(shape, set):
        return "" if value in shape else f"{where}: {value!r} is not one of {sorted(shape)}"
    return "" if isinstance(value, shape) else f"{where}: {value!r} is of another kind"


def turned_down(body: Any) -> Response | None:
    """What Azure says to a machine's PUT before it looks for room."""
    if not isinstance(body, dict):
        return refusal(400, "InvalidRequestContent", "The request content was invalid.")
    if said := wrong(body):
        return refusal(400, "InvalidParameter", said)
    properties = body.get("properties") or {}
    for key in ("hardwareProfile", "storageProfile", "osProfile", "networkProfile"):
        if not properties.get(key):
            return refusal(400, "InvalidParameter", f"Required parameter '{key}' is missing (null).")
    system = properties["osProfile"]
    try:
        data = base64.b64decode(system.get("customData", ""), validate=True)
    except (ValueError, binascii.Error):
        return refusal(400, "InvalidParameter", "Custom data in OSProfile must be in Base64 encoding.")
    if len(data) > 65535:
        return refusal(400, "InvalidParameter", "Custom data in OSProfile is too long.")
    if not system.get("linuxConfiguration", {}).get("ssh", {}).get("publicKeys"):
        return refusal(400, "InvalidParameter", "Authentication using either SSH or by user name must be enabled.")
    if len(system.get("computerName", "")) > 64 or system.get("adminUsername") in ("admin", "root", "user", "test"):
        return refusal(400, "InvalidParameter", "The computer or user name specified is not allowed.")
    if properties.get("priority") != "Spot" and (properties.get("evictionPolicy") or properties.get("billingProfile")):
        code = "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines"
        return refusal(400, code, "Eviction policy can be set only on Azure Spot Virtual Machines.")
    price = (properties.get("billingProfile") or {}).get("maxPrice", -1)
    if price != -1 and (price <= 0 or round(price, 5) != price):
        return refusal(400, "MaxPriceValueInvalid", "The max price value is invalid.")
    return None


_QUOTA = "Operation could not be completed as it results in exceeding approved {what}. Additional details - Deployment"
_QUOTA += " Model: Resource Manager, Location: eastus, Current Limit: {limit}, Current Usage: {used}, Additional"
_QUOTA += " Required: {more}, (Minimum) New Limit Required: {need}."


def quota(what: str, *, limit: int = 0, used: int = 0, more: int = 40) -> str:
    """Azure's long sentence on a quota."""
    return _QUOTA.format(what=what, limit=limit, used=used, more=more, need=used + more)


# Every way of the fact sheet (3.5) in which a launch is refused: a name for the test, HTTP status, code, words.
FAILURES: Mapping[str, tuple[int, str, str]] = {
    **{
        code: (409, code, f"{code}: allocation failed. We do not have sufficient capacity for the requested VM size.")
        for code in (
            "SkuNotAvailable",
            "AllocationFailed",
            "ZonalAllocationFailed",
            "OverconstrainedAllocationRequest",
            "OverconstrainedZonalAllocationRequest",
        )
    },
    "LowPriorityCores": (409, "OperationNotAllowed", quota("LowPriorityCores quota")),
    "Family Cores": (409, "OperationNotAllowed", quota("standardNCadsH100v5Family Family Cores quota")),
    "Total Regional Cores": (409, "OperationNotAllowed", quota("Total Regional Cores quota", limit=10, used=8)),
    "not allowed": (409, "OperationNotAllowed", "This operation is not allowed."),
    "QuotaExceeded": (409, "QuotaExceeded", "Operation results in exceeding quota limits of Core."),
    "throttled": (429, "OperationNotAllowed", "The server rejected the request because too many requests were sent."),
    **{
        code: (429, code, "The request is being throttled.")
        for code in ("TooManyRequests", "SubscriptionRequestsThrottled")
    },
    "SpotPriceGreaterThanProvidedMaxPrice": (
        409,
        "SpotPriceGreaterThanProvidedMaxPrice",
        "Unable to perform operation since the provided max price '0.1 USD' is lower than the current spot price.",
    ),
    **{
        code: (400, code, "The request is wrong.")
        for code in (
            "MaxPriceValueInvalid",
            "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines",
            "AzureSpotIsNotSupportedForThisAPIVersion",
            "InvalidParameter",
            "BadRequest",
            "InvalidTemplateDeployment",
            "AzureSpotIsNotSupportedForThisVMSize",
            "MarketplacePurchaseEligibilityFailed",
            "PlatformImageNotFound",
            "ImageNotFound",
            "PublicIPCountLimitReached",
            "SubnetIsFull",
        )
    },
    "AzureSpotFeatureNotEnabledForSubscription": (
        409,
        "AzureSpotFeatureNotEnabledForSubscription",
        "The feature is not enabled.",
    ),
    **{
        code: (401, code, "The access token is not good.")
        for code in ("InvalidAuthenticationToken", "ExpiredAuthenticationToken")
    },
    **{
        code: (
            403,
            code,
            "The client 'someone@example.com' with object id '4f9c2ac2-1111-4222-8333-944455556666' does not have"
            " authorization to perform action 'Microsoft.Compute/virtualMachines/write' over scope"
            " '/subscriptions/deadbeef-1111-4222-8333-944455556666'.",
        )
        for code in ("AuthorizationFailed", "LinkedAuthorizationFailed")
    },
    "ReadOnlyDisabledSubscription": (409, "ReadOnlyDisabledSubscription", "The subscription is disabled."),
    "SubscriptionNotFound": (404, "SubscriptionNotFound", "The subscription could not be found."),
    "MissingSubscriptionRegistration": (
        409,
        "MissingSubscriptionRegistration",
        "The subscription is not registered to use namespace 'Microsoft.Network'.",
    ),
    **{
        code: (500, code, "An internal error occurred.")
        for code in ("InternalServerError", "InternalExecutionError", "NetworkingInternalOperationError")
    },
    **{
        code: (409, code, "Another operation is in progress.")
        for code in ("Conflict", "AnotherOperationInProgress", "RetryableError")
    },
    **{
        code: (404, code, "It could not be found.")
        for code in ("ResourceNotFound", "ResourceGroupNotFound", "ResourceGroupBeingDeleted")
    },
}
