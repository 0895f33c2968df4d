-- The first book. Columns bear the names of the dataclass fields in core/book.py.
-- Money is text (exact decimals), times are seconds since the epoch, specs and event data are JSON.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row at most: the watchdog that is awake.
CREATE TABLE lease (
    one                INTEGER PRIMARY KEY CHECK (one = 1),
    token              TEXT NOT NULL,
    host               TEXT NOT NULL,
    pid                INTEGER NOT NULL,
    process_started_at REAL NOT NULL,
    until              REAL NOT NULL
);

CREATE TABLE jobs (
    name           TEXT NOT NULL UNIQUE,
    spec           TEXT NOT NULL,
    submitted_at   REAL NOT NULL,
    store_url      TEXT NOT NULL,
    store_endpoint TEXT NOT NULL,
    store_region   TEXT NOT NULL,
    bundle         TEXT NOT NULL,
    wanted         TEXT NOT NULL,
    wanted_at      REAL,
    state          TEXT NOT NULL,
    reason         TEXT NOT NULL,
    exit_code      INTEGER,
    over_at        REAL,
    waiting_since  REAL,
    rounds         INTEGER NOT NULL,
    errors_in_row  INTEGER NOT NULL,
    next_try_at    REAL NOT NULL,
    note           TEXT NOT NULL,
    last_attempt   INTEGER NOT NULL,
    attempts_ran   INTEGER NOT NULL,
    step           INTEGER NOT NULL,
    total_steps    INTEGER,
    progress_at    REAL
);

CREATE INDEX jobs_live ON jobs (name) WHERE state IN ('queued', 'running');

CREATE TABLE attempts (
    job                TEXT NOT NULL,
    number             INTEGER NOT NULL,
    started_at         REAL NOT NULL,
    market             TEXT NOT NULL,
    predecessor        INTEGER NOT NULL,
    outcome            TEXT,
    reason             TEXT NOT NULL,
    exit_code          INTEGER,
    ended_at           REAL,
    resumed_step       INTEGER,
    step               INTEGER NOT NULL,
    commits            INTEGER NOT NULL,
    phase              TEXT NOT NULL,
    heard_at           REAL,
    heard_status_at    REAL,
    progressed_at      REAL,
    noticed_at         REAL,
    notice_deadline_at REAL,
    leave_asked_at     REAL,
    leave_reason       TEXT NOT NULL,
    notes_told         INTEGER NOT NULL,
    PRIMARY KEY (job, number)
);

CREATE INDEX attempts_live ON attempts (job, number) WHERE outcome IS NULL;

-- The three bill columns are set when a machine has ended (core/ledger.py makes them), so that a job's bill
-- is one sum over an index however many machines it has had.
CREATE TABLE machines (
    launch_key         TEXT NOT NULL UNIQUE,
    job                TEXT NOT NULL,
    attempt            INTEGER NOT NULL,
    rank               INTEGER NOT NULL,
    provider           TEXT NOT NULL,
    region             TEXT NOT NULL,
    zone               TEXT NOT NULL,
    instance_type      TEXT NOT NULL,
    market             TEXT NOT NULL,
    gpu                TEXT NOT NULL,
    gpu_count          INTEGER NOT NULL,
    price_usd_hour     TEXT NOT NULL,
    on_demand_usd_hour TEXT,
    state              TEXT NOT NULL,
    intended_at        REAL NOT NULL,
    instance_id        TEXT NOT NULL,
    tried_at           REAL,
    up_at              REAL,
    ending_at          REAL,
    asked_at           REAL,
    ended_at           REAL,
    outcome            TEXT,
    reason             TEXT NOT NULL,
    alternatives       TEXT NOT NULL,
    spent_nano_usd     INTEGER,
    on_demand_nano_usd INTEGER,
    billed_us          INTEGER
);

CREATE INDEX machines_not_ended ON machines (job, attempt) WHERE state <> 'ended';
CREATE INDEX machines_of_attempt ON machines (job, attempt);
CREATE INDEX machines_bill ON machines (job, spent_nano_usd, on_demand_nano_usd, billed_us) WHERE state = 'ended';

CREATE TABLE refusals (
    provider      TEXT NOT NULL,
    region        TEXT NOT NULL,
    zone          TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    market        TEXT NOT NULL,
    job           TEXT NOT NULL,
    error         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    hint          TEXT NOT NULL,
    since         REAL NOT NULL,
    until         REAL NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (provider, region, zone, instance_type, market, job)
);

-- AUTOINCREMENT: a number once told to a reader (`events --follow`) is never used again.
CREATE TABLE events (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    job  TEXT NOT NULL,
    at   REAL NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE INDEX events_of_job ON events (job, id);
