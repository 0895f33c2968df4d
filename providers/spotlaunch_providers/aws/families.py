"""The GPU families of EC2, for when the API cannot be asked: without credentials nothing tells what a type holds.

A fallback only. With credentials all of this comes from DescribeInstanceTypes; a test holds the table against a dump
of real answers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """``gpu``: the API's word. ``memory_mib``: of one whole GPU. ``sizes``: name, GPUs, vCPUs, GiB; by commas."""

    gpu: str
    memory_mib: int
    sizes: str
    arch: str = "x86_64"


_G5 = (
    "xlarge 1 4 16, 2xlarge 1 8 32, 4xlarge 1 16 64, 8xlarge 1 32 128, 12xlarge 4 48 192, 16xlarge 1 64 256, "
    "24xlarge 4 96 384, 48xlarge 8 192 768"
)

FAMILIES = {
    "g4dn": Family(
        "T4",
        16384,
        "xlarge 1 4 16, 2xlarge 1 8 32, 4xlarge 1 16 64, 8xlarge 1 32 128, 12xlarge 4 48 192, 16xlarge 1 64 256, "
        "metal 8 96 384",
    ),
    "g5": Family("A10G", 22888, _G5),
    "g5g": Family(
        "T4g",
        16384,
        "xlarge 1 4 8, 2xlarge 1 8 16, 4xlarge 1 16 32, 8xlarge 1 32 64, 16xlarge 2 64 128, metal 2 64 128",
        "arm64",
    ),
    "g6": Family("L4", 22888, _G5),
    "gr6": Family("L4", 22888, "4xlarge 1 16 128, 8xlarge 1 32 256"),
    "g6f": Family("L4", 22888, "large 1/8 2 8, xlarge 1/8 4 16, 2xlarge 1/4 8 32, 4xlarge 1/2 16 64"),
    "gr6f": Family("L4", 22888, "4xlarge 1/2 16 128"),
    "g6e": Family(
        "L40S",
        45776,
        "xlarge 1 4 32, 2xlarge 1 8 64, 4xlarge 1 16 128, 8xlarge 1 32 256, 12xlarge 4 48 384, 16xlarge 1 64 512, "
        "24xlarge 4 96 768, 48xlarge 8 192 1536",
    ),
    "g7": Family(
        "RTX PRO 4500",
        32768,
        "2xlarge 1 8 32, 4xlarge 1 16 64, 8xlarge 1 32 128, 12xlarge 2 48 192, 24xlarge 4 96 384, 48xlarge 8 192 768",
    ),
    "g7e": Family(
        "RTX PRO Server 6000",
        98304,
        "2xlarge 1 8 64, 4xlarge 1 16 128, 8xlarge 1 32 256, 12xlarge 2 48 512, 24xlarge 4 96 1024, "
        "48xlarge 8 192 2048",
    ),
    "p3dn": Family("V100", 32768, "24xlarge 8 96 768"),
    "p4d": Family("A100", 40960, "24xlarge 8 96 1152"),
    "p4de": Family("A100", 81920, "24xlarge 8 96 1152"),
    "p5": Family("H100", 81920, "4xlarge 1 16 256, 48xlarge 8 192 2048"),
    "p5e": Family("H200", 144384, "48xlarge 8 192 2048"),
    "p5en": Family("H200", 144384, "48xlarge 8 192 2048"),
    "p6-b200": Family("B200", 183359, "48xlarge 8 192 2048"),
    "p6-b300": Family("B300", 275040, "48xlarge 8 192 4096"),
}
