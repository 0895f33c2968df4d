-- What is learned of pools. Hours, interruptions, grants and boots are counted from machines and attempts; a refusal
-- is overwritten by the next of its scope, so each that says "no capacity" is counted here: by pool (an empty zone or
-- region is all of them) and hour since the epoch.
CREATE TABLE refused (
    provider      TEXT NOT NULL,
    region        TEXT NOT NULL,
    zone          TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    market        TEXT NOT NULL,
    hour          INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (provider, region, zone, instance_type, market, hour)
) WITHOUT ROWID;

-- Those that are still known count once: nobody knows any more when the others were.
INSERT INTO refused
SELECT provider, region, zone, instance_type, market, CAST(since / 3600 AS INTEGER), 1 FROM refusals
WHERE error = 'NoCapacity' AND job = '' AND instance_type <> '' AND market <> '';

-- What other installations saw (`stats --import`): the newest word of each, as JSON (storage/lessonfile.py).
CREATE TABLE imported (
    source  TEXT PRIMARY KEY,
    as_of   REAL NOT NULL,
    lessons TEXT NOT NULL
);
