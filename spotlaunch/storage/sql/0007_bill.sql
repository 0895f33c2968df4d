-- For the bill. Of a machine: the cheapest on-demand offer that would have done when it was ordered, the disk beside
-- it and what that costs, and a GB between it and the job's store. NULL and 0 where it is not known.
ALTER TABLE machines ADD COLUMN cheapest_usd_hour TEXT;
ALTER TABLE machines ADD COLUMN cheapest_pool TEXT NOT NULL DEFAULT '';
ALTER TABLE machines ADD COLUMN disk_gb REAL NOT NULL DEFAULT 0;
ALTER TABLE machines ADD COLUMN storage_usd_gb_month TEXT NOT NULL DEFAULT '0';
ALTER TABLE machines ADD COLUMN egress_usd_gb TEXT NOT NULL DEFAULT '0';

-- Of an attempt: when its program first ran, when its newest checkpoint was stored, bytes to the store and from it.
ALTER TABLE attempts ADD COLUMN running_at REAL;
ALTER TABLE attempts ADD COLUMN committed_at REAL;
ALTER TABLE attempts ADD COLUMN uploaded_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN restored_bytes INTEGER NOT NULL DEFAULT 0;

-- What providers say that a machine has cost (`cost --reconcile`): the newest answer.
CREATE TABLE billed (
    launch_key  TEXT PRIMARY KEY,
    machine_usd TEXT NOT NULL,
    storage_usd TEXT NOT NULL,
    traffic_usd TEXT NOT NULL,
    asked_at    REAL NOT NULL,
    settled     INTEGER NOT NULL
);
