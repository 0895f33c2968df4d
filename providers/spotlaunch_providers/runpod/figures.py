"""What RunPod does not tell through its API: prices of disk and traffic, and what its words on stock are worth.

[D]: official documentation. [L]: seen by others, not tried here. [I]: our own judgement, to be measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

# [D] Container disk of a running pod, USD per GB and month; the catalog's price is without it (`pod.cost` has it).
# https://docs.runpod.io/pods/pricing
STORAGE_USD_GB_MONTH = Decimal("0.10")

# [D] No fee for traffic, neither way.
EGRESS_USD_GB = Decimal(0)

# Chance to get a machine, by RunPod's own word on its stock. [I] Its order is sure, the numbers are not: a create
# was refused with the stock at HIGH [L, three sources], so that HIGH is no promise either.
OBTAINABILITY: Mapping[str, float] = MappingProxyType({"HIGH": 0.9, "MEDIUM": 0.6, "LOW": 0.3, "NONE": 0.0})

# Sizes of pod that are asked for where any will do. A pod may have any number up to its type's `maxCount`, but each
# size is a question of its own, since the stock depends on it.
ANY_COUNT = (1, 2, 4, 8)

# [I] No host gives one GPU more than this. The catalog says nothing of CPUs and memory: a pod gets at least what its
# order asks for (`minVcpuCountPerGpu`, `minRamPerGpu`), or none is found.
MOST_VCPUS_PER_GPU = 32
MOST_MEMORY_GB_PER_GPU = 283

# Proven on RunPod: the image of its own documentation's examples; Python 3.12, CUDA 12.8.
IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"

# The oldest driver's CUDA that a host may have, where the image's name does not tell. Hosts with older drivers than
# the image fail with CUDA error 804; dstack asks for the same.
CUDA = "12.8"

# Container disk in GB: the default, and the least. Requests for 10 found no host where 20 did [L].
DISK_GB, LEAST_DISK_GB = 50, 20

HOURS_A_MONTH = 730

NO_SPOT = "RunPod sells no spot pods any more: it has on-demand machines only"
