-- The first market. Money is text (exact decimals), times are seconds since the epoch.

-- What a provider said to a want under certain settings (a fingerprint). Offers are kept by columns:
-- `head` (JSON) has the values of each column, `codes` which row has which (storage/columns.py).
CREATE TABLE answers (
    provider    TEXT NOT NULL,
    settings    TEXT NOT NULL,
    want        TEXT NOT NULL,
    asked_at    REAL NOT NULL,
    start_s     REAL NOT NULL,
    prices_only TEXT NOT NULL,
    missing     TEXT NOT NULL,
    offers      INTEGER NOT NULL,
    head        TEXT NOT NULL,
    codes       BLOB NOT NULL,
    PRIMARY KEY (provider, settings, want)
);

-- Every pool that was ever seen within a year, and what it cost when it was last seen.
CREATE TABLE pools (
    id             INTEGER PRIMARY KEY,
    provider       TEXT NOT NULL,
    region         TEXT NOT NULL,
    zone           TEXT NOT NULL,
    instance_type  TEXT NOT NULL,
    market         TEXT NOT NULL,
    gpu            TEXT NOT NULL,
    gpu_count      INTEGER NOT NULL,
    price_usd_hour TEXT NOT NULL,
    on_sale        INTEGER NOT NULL,
    changed_at     REAL NOT NULL,
    seen_at        REAL NOT NULL,
    UNIQUE (gpu, provider, region, zone, instance_type, market)
);

-- From `at` on, that pool cost so much. One row a change.
CREATE TABLE changes (
    pool           INTEGER NOT NULL,
    at             REAL NOT NULL,
    price_usd_hour TEXT NOT NULL,
    on_sale        INTEGER NOT NULL,
    PRIMARY KEY (pool, at)
) WITHOUT ROWID;

-- When the history was last rid of what is too old.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
