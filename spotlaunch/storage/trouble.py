"""What obstore raises, in our words: one table from what it says to what a person can do.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spotlaunch.errors import AlreadyExists, BlobsUnavailable, NoSuchObject, SpotlaunchError

# (found in the text, what happened, what to do); the first that fits counts
HINTS = (
    ("os error 28", "the disk is full", "free some space, or choose another store with checkpoint.store"),
    ("os error 122", "the disk quota is used up", "free some space, or choose another store with checkpoint.store"),
    ("os error 30", "the file system is read-only", "choose a folder that you can write to"),
    ("os error 13", "this user may not", "make the folder writable for this user, or choose another"),
    ("os error 1)", "this user may not", "make the folder writable for this user, or choose another"),
    ("os error 20", "a part of the path is a file, not a folder", "choose another folder, or move that file away"),
    ("NoSuchBucket", "there is no such bucket", "create the bucket, or correct checkpoint.store"),
    ("ContainerNotFound", "there is no such container", "create the container, or correct checkpoint.store"),
    ("301 Moved", "the bucket is in another region", "set AWS_REGION to the bucket's region"),
    (
        "PermanentRedirect",
        "the bucket is in another region",
        "set AWS_REGION to the bucket's region",
    ),
    (
        "InvalidAccessKeyId",
        "the access key is not known there",
        "check AWS_ACCESS_KEY_ID and the endpoint",
    ),
    ("SignatureDoesNotMatch", "the secret key is wrong", "check AWS_SECRET_ACCESS_KEY"),
    ("ExpiredToken", "the credentials have run out", "log in again, or renew AWS_SESSION_TOKEN"),
    ("RequestTimeTooSkewed", "this machine's clock is wrong", "set the clock"),
    ("AccessDenied", "these credentials may not", "they need to read, write, delete and list under this prefix"),
    ("403 Forbidden", "these credentials may not", "they need to read, write, delete and list under this prefix"),
    ("HTTP Error 403", "these credentials may not", "they need to read, write, delete and list under this prefix"),
    ("401 Unauthorized", "the credentials were not accepted", "check the credentials of this store"),
    ("169.254.169.254", "there are no credentials", "set the credentials of this store in the environment"),
    ("dns error", "its name is not known", "check the endpoint and the network"),
    ("error sending request", "nobody answered", "check the endpoint and the network; it is tried again"),
    ("timed out", "no answer in time", "check the endpoint and the network; it is tried again"),
    ("503", "the store is overloaded", "it is tried again"),
)
DEFAULT_HINT = "check the store's URL, its credentials and the network"


@contextmanager
def in_words(url: str, verb: str, key: str) -> Iterator[None]:
    """Raise obstore's errors as ours: `AlreadyExists`, `NoSuchObject`, else `BlobsUnavailable` with a hint."""
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError) as e:
        raise AlreadyExists(f"{url}: {key} exists already") from e
    except FileNotFoundError as e:
        raise _absent(e, url, verb, key) from e
    except (BaseError, OSError, ValueError) as e:
        raise explain(e, url, verb, key) from e


def _absent(e: FileNotFoundError, url: str, verb: str, key: str) -> SpotlaunchError:
    """Not found: of a write, or of the whole bucket, it is trouble with the store and not a missing object."""
    missing_store = "NoSuchBucket" in str(e) or "ContainerNotFound" in str(e)
    if verb in ("read", "delete") and not missing_store:
        return NoSuchObject(f"{url}: there is no {key}")
    return explain(e, url, verb, key)


def explain(e: Exception, url: str, verb: str, key: str) -> BlobsUnavailable:
    """`BlobsUnavailable` saying which store, which object, what happened, and what to do."""
    text = str(e)
    for sign, what, hint in HINTS:
        if sign in text:
            return BlobsUnavailable(f"cannot {verb} {key or 'objects'} in {url}: {what}", hint=hint)
    first = text.splitlines()[0] if text else type(e).__name__
    return BlobsUnavailable(f"cannot {verb} {key or 'objects'} in {url}: {first}", hint=DEFAULT_HINT)
