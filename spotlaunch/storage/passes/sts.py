"""Passes to S3: a session of AWS's Security Token Service, with a policy for one job's folder and nothing else.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and API_GetFederationToken.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.opening import AWS_ID, AWS_SECRET, AWS_TOKEN
from spotlaunch.storage.passes.folder import Folder

# Sessions of a role last so long unless the role says more; sessions of a session (role chaining) never longer.
ROLE_S = 3600
LEAST_S = 900
FEDERATION_MOST_S = 129_600
ROLE_MOST_S = 43_200

# MinIO takes any name of a role; the SDK insists on one of this shape.
ANY_ROLE = "arn:aws:iam::000000000000:role/spotlaunch"

ROLE_HINT = "set SPOTLAUNCH_STORE_ROLE to a role that may use this bucket, and that you may assume (docs/stores.md)"
KEYS_HINT = "check the AWS credentials of this computer: `aws sts get-caller-identity`"
_HINTS = {
    "AccessDenied": (
        "these credentials may not",
        "allow it as configs/permissions/store-aws.json does, or " + ROLE_HINT,
    ),
    "ExpiredToken": ("the credentials have run out", "log in again"),
    "ExpiredTokenException": ("the credentials have run out", "log in again"),
    "InvalidClientTokenId": ("the access key is not known there", KEYS_HINT),
    "SignatureDoesNotMatch": ("the secret key is wrong", KEYS_HINT),
    "PackedPolicyTooLarge": ("the policy is too long for it", "use a shorter prefix in checkpoint.store"),
    "RegionDisabledException": ("it is not switched on in this region", "set AWS_REGION to the bucket's region"),
    "Throttling": ("too many calls", "it is tried again"),
}


def policy(folder: Folder) -> dict[str, Any]:
    """What a session may do: all objects whose key begins with the folder's prefix, and a list of those.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/list_amazons3.html
    """
    bucket = f"{_arn(folder.region)}:s3:::{literal(folder.bucket)}"
    under = literal(folder.prefix) + "*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": f"{bucket}/{under}",
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket,
                "Condition": {"StringLike": {"s3:prefix": under}},
            },
        ],
    }


def literal(text: str) -> str:
    """``text`` for a policy, where ``*``, ``?`` and ``$`` would mean more than themselves.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return re.sub(r"[*?$]", lambda found: "${" + found.group() + "}", text)


def _arn(region: str) -> str:
    """How names of things begin in that part of AWS."""
    return "arn:aws-cn" if region.startswith("cn-") else "arn:aws-us-gov" if region.startswith("us-gov-") else "arn:aws"


def by_role(folder: Folder, role: str, *, lasts_s: float) -> Pass:
    """A session of ``role``, as long as the role allows. Raises `BlobsUnavailable` with a hint."""
    sts = _client(folder)

    def assume(lasts_s: float) -> Any:
        return sts.assume_role(
            RoleArn=role,
            RoleSessionName=_name(folder),
            Policy=json.dumps(policy(folder), separators=(",", ":")),
            DurationSeconds=int(max(LEAST_S, min(lasts_s, ROLE_MOST_S))),
        )

    def longest() -> Any:
        from botocore.exceptions import ClientError

        try:
            return assume(lasts_s)
        except ClientError as e:
            # `The requested DurationSeconds exceeds the MaxSessionDuration set for this role`, or the limit for
            # role chaining: both are this code.
            if e.response.get("Error", {}).get("Code") != "ValidationError" or lasts_s <= ROLE_S:
                raise
            return assume(ROLE_S)

    return _pass(_asked(folder, "assume the role", longest))


def refuse_temporary(folder: Folder) -> None:
    """Raise `BlobsUnavailable`, with a hint, when this computer's credentials are those of a session.

    AWS gives a federated session only to a user's long-lived keys.
    """
    if _user(folder).token:
        raise BlobsUnavailable(
            f"no pass to {folder.place.url} can be made: these AWS credentials are temporary (SSO, or a role), "
            "and AWS gives out sessions to such only with a role",
            hint=ROLE_HINT,
        )


def by_federation(folder: Folder, *, lasts_s: float) -> Pass:
    """A session of the user whose keys these are. Raises `BlobsUnavailable` with a hint."""
    refuse_temporary(folder)
    sts = _client(folder)
    return _pass(
        _asked(
            folder,
            "make a session (sts:GetFederationToken)",
            lambda: sts.get_federation_token(
                Name=_name(folder),
                Policy=json.dumps(policy(folder), separators=(",", ":")),
                DurationSeconds=int(max(LEAST_S, min(lasts_s, FEDERATION_MOST_S))),
            ),
        )
    )


def access_key_id(folder: Folder) -> str:
    """The name of this computer's own access key. Raises `BlobsUnavailable` when there is none."""
    return str(_user(folder).access_key)


def _name(folder: Folder) -> str:
    """What AWS writes into its logs; at most 32 letters."""
    return f"sl-{folder.job}"[:32]


def _user(folder: Folder) -> Any:
    """This computer's own credentials, as boto3 finds them."""
    import boto3  # late: slow to import
    from botocore.exceptions import BotoCoreError

    try:
        found = boto3.Session().get_credentials()
        if found is not None:
            return found.get_frozen_credentials()
    except BotoCoreError as e:
        raise _trouble(folder, "read the AWS credentials", type(e).__name__, KEYS_HINT) from e
    raise _trouble(folder, "make a pass", "there are no AWS credentials here", KEYS_HINT)


def _client(folder: Folder) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    endpoint = folder.told.url("sts_endpoint", "") if folder.told.get("sts_endpoint") else folder.endpoint or None
    region = folder.region if folder.region != "auto" else "us-east-1"
    try:
        return boto3.client(
            "sts",
            region_name=region,
            endpoint_url=endpoint,
            config=Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}),
        )
    except (BotoCoreError, ValueError) as e:
        raise _trouble(folder, "make a pass", type(e).__name__, KEYS_HINT) from e


def _asked(folder: Folder, verb: str, call: Callable[[], Any]) -> Any:
    """The answer's credentials. What is told of an error is its code: its text names the account."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()["Credentials"]
    except ClientError as e:
        code = str(e.response.get("Error", {}).get("Code", ""))
        what, hint = _HINTS.get(code, (f"AWS answered {code}", KEYS_HINT))
        raise _trouble(folder, verb, what, hint) from e
    except BotoCoreError as e:
        hint = "check the network, and SPOTLAUNCH_STORE_STS_ENDPOINT"
        raise _trouble(folder, verb, type(e).__name__, hint) from e


def _trouble(folder: Folder, verb: str, what: str, hint: str) -> BlobsUnavailable:
    return BlobsUnavailable(f"no pass to {folder.place.url}: cannot {verb}: {what}", hint=hint)


def _pass(found: Any) -> Pass:
    env = {AWS_ID: found["AccessKeyId"], AWS_SECRET: found["SecretAccessKey"], AWS_TOKEN: found["SessionToken"]}
    return Pass(env=env, expires_at=found["Expiration"].timestamp())
