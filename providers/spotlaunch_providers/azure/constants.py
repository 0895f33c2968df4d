"""What Azure does not tell by an API that we ask, in one place, each with where it is from.

[DOC] Microsoft's documentation, [3P] a third party's code or notes, [MEM] from memory: check these first when a
number looks wrong.
"""

from __future__ import annotations

from decimal import Decimal

ARM = "https://management.azure.com"
PRICES = "https://prices.azure.com"
TOKEN_SCOPE = "https://management.azure.com/.default"

# API versions: [3P] in use for the prices (its filters are case-sensitive from this version on); [SDK] for the rest.
PRICES_VERSION = "2023-01-01-preview"
SKUS_VERSION = "2021-07-01"
GRAPH_VERSION = "2022-10-01"
PLACEMENT_VERSION = "2025-06-05"
COMPUTE_VERSION = "2024-07-01"
NETWORK_VERSION = "2024-05-01"  # [MEM]
NETWORK_IN_VM_VERSION = "2022-11-01"  # of the interface that is made inside a machine's PUT
GROUPS_VERSION = "2021-04-01"
ACTIVITY_VERSION = "2015-04-01"  # [DOC]
PERMISSIONS_VERSION = "2022-04-01"  # [MEM], and so is its path under a subscription

# [MEM] Internet egress from North America and Europe, 100 GB to 10 TB a month. The first 100 GB are free; Asia
# costs 0.12, South America and Africa up to 0.181. https://azure.microsoft.com/pricing/details/bandwidth/
EGRESS_USD_GB = Decimal("0.087")

# [MEM] A Premium SSD P10 of 128 GB is 19.71 USD a month in East US. Sold in steps, so a size between two steps
# costs as the larger one. https://azure.microsoft.com/pricing/details/managed-disks/
STORAGE_USD_GB_MONTH = Decimal("0.154")

# [DOC] The portal and Resource Graph tell the eviction rate of the last 28 days in per cent *per hour*: in the
# bucket 5-10 a machine has a chance of 5 to 10 % to be evicted within the next hour. We take the middle. The last
# bucket has no upper end: 25 is a guess.
EVICTIONS_PER_HOUR = {"0-5": 0.025, "5-10": 0.075, "10-15": 0.125, "15-20": 0.175, "20+": 0.25}

# [3P] The placement score is a word. What chance each word stands for nobody says: these are guesses that keep order.
OBTAINABILITY = {"high": 0.9, "medium": 0.5, "low": 0.15}
PLACEMENT_MOST_REGIONS = 8
PLACEMENT_MOST_SIZES = 5
PLACEMENT_KEPT_S = 3600.0

# [3P] The catalog of sizes is about 2.5 MB per region, and changes when Microsoft opens a size somewhere.
SKUS_KEPT_S = 86400.0

# [MEM] Regions of other clouds (governments, China) and edge zones stand in the same price feed: an ordinary
# subscription cannot have machines there.
FOREIGN_REGIONS = ("usgov", "usdod", "usnat", "ussec", "china", "att", "microsoftrr")

# [3P] Rack-scale machines: arm64 while our images are x86-64, and quota only by agreement with Microsoft.
ARM64_REFUSED = "an arm64 machine, for which there is no image yet; Microsoft gives quota for it by agreement only"

# Of the time that a whole question has, hints (eviction rates, placement scores) may take this part at most.
HINT_SHARE = 0.35
EXAMINED_REGION = "eastus"

# [3P] With NVIDIA's driver, generation 2, about 57 GB used. Its Ubuntu has Python 3.10.
IMAGE = "microsoft-dsvm:ubuntu-hpc:2204:latest"
LEAST_DISK_GB = 128
DISK_TYPE = "Premium_LRS"

# A launch may take so long in all, its PUT so long, and then the wait for the word that there was room: Azure says
# that only after it has accepted the machine.
LAUNCH_S = 60.0
PUT_S = 25.0
ALLOCATION_S = 40.0
LIST_S = 30.0
END_S = 60.0

# How long a machine that is no more is listed with the reason why, and the log asked for it: it lags by minutes. [MEM]
GONE_KEPT_S = 600.0
