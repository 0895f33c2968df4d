"""What Vast.ai does not tell through its API: limits of its search, and the choices that we make.

[D]: official documentation or client. [L]: seen by others, not tried here. [I]: our own judgement.
"""

from __future__ import annotations

from decimal import Decimal

# [L] A search gives so many rows at most, whatever `limit` says (two adapters, autumn 2026); in summer 1,370 came.
# So the limit asks for all, a page of this size or more is followed by another, and a smaller one is the last.
CAP = 64
LIMIT = 3000

# [D] An address may search ten times a minute. So many for each of the two markets, at most, leave two for another
# question. The cheapest come first, so that what is left out is dearer than what is shown.
MOST_SEARCHES = 4
SEARCH_PAUSE_S = 6.0

# Where any number of GPUs will do and the first page is full, these sizes get a page of their own: single GPUs are
# the cheapest, and would fill all pages. Where that page is full too, the last size gets one for itself.
LARGER_COUNTS = (4, 8)

# [D] USD per GB and month is charged by the second, of a month of 30 days.
HOURS_PER_MONTH = 720

# [I] Disk that is rented with a machine when the job does not say. It is fixed for the machine's life.
DISK_GB = 32.0

# [I] A bid is the price that is paid, so that every cent above the floor is spent. A bid at the floor is accepted [D],
# but the floor may move between search and order; others bid the floor itself, or 20 % more [D]. More did not help
# a machine that would not start [L]. Ten per cent covers a small move for a small price.
BID_MARGIN = Decimal("0.10")
# [I] By so much a machine may be dearer than it was offered, where there is no cap.
PRICE_MARGIN = Decimal("0.05")
SMALLEST_STEP_USD = Decimal("0.0001")

# [I] Of a machine's `reliability2`. The search of Vast.ai's own pages begins at 0.9.
MIN_RELIABILITY = 0.95

# [D] Seconds that Vast.ai wants between two calls of one kind (`threshold=`), by our names for them. Ours are a little
# longer, for what comes a little late is followed a little early.
INTERVALS_S = {"create": 4.5, "destroy": 3.0, "show": 2.0, "list": 1.0, "charges": 1.0}
INTERVAL_MARGIN = 1.05

# [D] Who creates too often is refused for so long.
CREATE_PENALTY_S = 12.0

# A launch makes so many creates at most [L: three to five], or other clouds would have to wait for all that is gone
# here. An ending asks for as many as it can, the others next time.
MOST_CREATES = 4
LAUNCH_S = 60.0
END_S = 60.0
# What is asked of a machine after it was had must not hold up the answer for long.
VERIFY_S = 8.0
# 1,000 machines are 40 pages.
LIST_S = 100.0
PAGE = 25  # [D] rows of the listing at most
CHARGES_PAGE = 500  # [D] and of the bill

# [D] What runs where the job names no image: Python and CUDA 12.4. It has no curl.
IMAGE = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
# [D] A host's driver must know the CUDA of the image, or the container never starts.
MIN_CUDA = 12.4
# [I] Seconds that a host's listing must last on: with it ends every contract there.
MIN_LEFT_S = 6 * 3600.0
LEAST_DISK_GB = 8.0  # [D]
MOST_COMMAND_BYTES = 4096  # [D] of all `args`

# [L] A container that was just started may read `exited` for about a minute.
EXITED_GRACE_S = 75.0
# A host is lost when two listings in a row say that nothing is heard of it.
LOST_READS = 2
