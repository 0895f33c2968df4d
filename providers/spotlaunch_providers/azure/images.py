"""Which disk image a machine starts from. Pure."""

from __future__ import annotations

import re

from spotlaunch.errors import UsageError
from spotlaunch_providers.azure.constants import ARM64_REFUSED
from spotlaunch_providers.azure.sizes import Size

_URN = re.compile(r"[\w.-]+:[\w.-]+:[\w.-]+:[\w.-]+")
_ID = re.compile(r"/subscriptions/[\w-]+/resourceGroups/[\w.()-]+/providers/Microsoft\.Compute/[\w./-]+", re.IGNORECASE)
_GALLERIES = {"/communitygalleries/": "communityGalleryImageId", "/sharedgalleries/": "sharedGalleryImageId"}

NO_GRID = "its card works with NVIDIA's GRID driver only: the setting grid_image names an image that has it"
NO_ROCM = "it has AMD cards, and no image with their driver is known"
NO_CONFIDENTIAL = "a confidential machine, which starts from images of its own"


def reference(image: str) -> dict[str, str] | None:
    """What the API wants of ``publisher:offer:sku:version``, or of an image's id; None for anything else."""
    if _URN.fullmatch(image):
        return dict(zip(("publisher", "offer", "sku", "version"), image.split(":"), strict=True))
    for start, key in _GALLERIES.items():
        if image.lower().startswith(start):
            return {key: image}
    return {"id": image} if _ID.fullmatch(image) else None


def checked(name: str, image: str) -> str:
    """The setting ``name`` itself. Raises `UsageError` for what is no image."""
    if image and reference(image) is None:
        raise UsageError(
            f"azure: {name} is {image[:60]!r}, which is no image",
            hint="write publisher:offer:sku:version, or the id of an image in your subscription",
        )
    return image


def why_none(size: Size, *, grid_image: str) -> str:
    """Why nothing can start on a size with the images at hand; empty if something can."""
    if size.arch == "arm64":
        return ARM64_REFUSED
    if size.confidential:
        return NO_CONFIDENTIAL
    if size.driver == "rocm":
        return NO_ROCM
    return NO_GRID if size.driver == "grid" and not grid_image else ""
