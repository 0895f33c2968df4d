-- Every question and every change of the book, by name. `{job}`, `{attempt}`, `{machine}`, `{refusal}`, `{event}` and
-- `{billed}` stand for the columns of that noun, `{?job}` and so on for as many question marks
-- (storage/queries.py fills them in), so that this file and the dataclasses cannot drift apart.

-- name: others
-- A number that is another one once another connection (of another process, mostly) has changed the book.
PRAGMA data_version

-- name: live_jobs
-- Jobs that are not over, and over ones which still have a machine; oldest first.
SELECT {job} FROM jobs
WHERE name IN (
    SELECT name FROM jobs WHERE state IN ('queued', 'running')
    UNION SELECT job FROM machines WHERE state <> 'ended'
)
ORDER BY rowid

-- name: live_attempts
-- Attempts that are live, or the newest of a live job, or have a machine that is not ended.
SELECT {attempt} FROM attempts
WHERE (job, number) IN (
    SELECT job, number FROM attempts WHERE outcome IS NULL
    UNION SELECT name, (SELECT max(number) FROM attempts WHERE job = jobs.name)
          FROM jobs WHERE state IN ('queued', 'running')
    UNION SELECT job, attempt FROM machines WHERE state <> 'ended'
)
ORDER BY job, number

-- name: live_machines
-- Machines that are not ended, and those of live attempts (a machine may be seen gone before its attempt's
-- farewell can be read), in order of intent.
SELECT {machine} FROM machines WHERE rowid IN (
    SELECT rowid FROM machines WHERE state <> 'ended'
    UNION SELECT m.rowid FROM attempts a JOIN machines m ON m.job = a.job AND m.attempt = a.number
          WHERE a.outcome IS NULL
)
ORDER BY rowid

-- name: live_bills
-- Per live job: what its ended machines cost, would have cost on demand (billionths of a dollar), and
-- how long they were up (microseconds). Whole numbers, so that the sum is exact.
SELECT job, sum(spent_nano_usd), sum(on_demand_nano_usd), sum(billed_us) FROM machines
WHERE state = 'ended' AND job IN (
    SELECT name FROM jobs WHERE state IN ('queued', 'running')
    UNION SELECT job FROM machines WHERE state <> 'ended'
)
GROUP BY job

-- name: all_bills
-- The same for every job there ever was.
SELECT job, sum(spent_nano_usd), sum(on_demand_nano_usd), sum(billed_us) FROM machines
WHERE state = 'ended' GROUP BY job

-- name: pool_history
-- Per pool, of all machines that were ever up: how many were taken or lost, and hours up till they ended or now (?).
-- What we ended ourselves was not taken: its hours count all the same.
SELECT provider, region, zone, instance_type, market,
       sum(outcome IS NOT NULL AND outcome IN ('preempted', 'lost')),
       sum(max(0.0, coalesce(ended_at, ?) - up_at)) / 3600.0
FROM machines WHERE up_at IS NOT NULL
GROUP BY provider, region, zone, instance_type, market

-- name: all_jobs
-- All jobs ever submitted, oldest first.
SELECT {job} FROM jobs ORDER BY rowid

-- name: job
-- One job by its name.
SELECT {job} FROM jobs WHERE name = ?

-- name: job_names
-- All names, for "did you mean".
SELECT name FROM jobs ORDER BY rowid

-- name: job_state
-- How far a job is.
SELECT state FROM jobs WHERE name = ?

-- name: attempts_of_job
-- All attempts of a job, in order.
SELECT {attempt} FROM attempts WHERE job = ? ORDER BY number

-- name: all_attempts
-- All attempts there ever were, each job's in order.
SELECT {attempt} FROM attempts ORDER BY job, number

-- name: machines_of_job
-- All machines of a job, in order of intent.
SELECT {machine} FROM machines WHERE job = ? ORDER BY rowid

-- name: all_machines
-- All machines there ever were, in order of intent.
SELECT {machine} FROM machines ORDER BY rowid

-- name: newest_machines
-- The machine intended last, of each job.
SELECT {machine} FROM machines WHERE rowid IN (SELECT max(rowid) FROM machines GROUP BY job)

-- name: machine
-- One machine by its launch key.
SELECT {machine} FROM machines WHERE launch_key = ?

-- name: all_billed
-- What providers said last of what machines have cost.
SELECT {billed} FROM billed

-- name: put_billed
-- What a provider says now, in the place of what it said before.
INSERT OR REPLACE INTO billed ({billed}) VALUES ({?billed})

-- name: all_refusals
-- Who rests, and who rested.
SELECT {refusal} FROM refusals ORDER BY rowid

-- name: events_of_job
-- The story of a job after an event number.
SELECT id, {event} FROM events WHERE job = ? AND id > ? ORDER BY id

-- name: add_job
-- A new job; the name must be free.
INSERT INTO jobs ({job}) VALUES ({?job})

-- name: add_attempt
-- A new attempt; its number must be free.
INSERT INTO attempts ({attempt}) VALUES ({?attempt})

-- name: add_machine
-- A new machine; its launch key must be free.
INSERT INTO machines ({machine}) VALUES ({?machine})

-- name: add_event
-- One more sentence of a job's story.
INSERT INTO events ({event}) VALUES ({?event})

-- name: put_refusal
-- A refusal takes the place of an earlier one of the same scope and job.
INSERT INTO refusals ({refusal}) VALUES ({?refusal})
ON CONFLICT (provider, region, zone, instance_type, market, job) DO UPDATE SET
    error = excluded.error, reason = excluded.reason, hint = excluded.hint,
    since = excluded.since, until = excluded.until, count = excluded.count

-- name: set_job
-- Change a job which is in the state that we think it is in.
UPDATE jobs SET {changes} WHERE name = ? AND state = ?

-- name: set_attempt
-- Change an attempt which is live.
UPDATE attempts SET {changes} WHERE job = ? AND number = ? AND outcome IS NULL

-- name: set_machine
-- Change a machine which is in the state that we think it is in.
UPDATE machines SET {changes} WHERE launch_key = ? AND state = ?

-- name: set_bill
-- What an ended machine cost in the end.
UPDATE machines SET spent_nano_usd = ?, on_demand_nano_usd = ?, billed_us = ? WHERE launch_key = ?

-- name: want
-- What the user wants of a job that is not over.
UPDATE jobs SET wanted = ?, wanted_at = ? WHERE name = ? AND state IN ('queued', 'running')

-- name: meta
-- A fact about this book.
SELECT value FROM meta WHERE key = ?

-- name: add_meta
-- Written once, by whoever comes first.
INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)

-- name: lease
-- Who is awake, also when the lease has run out.
SELECT token, host, pid, process_started_at, until FROM lease

-- name: put_lease
-- Becoming the awake one; whether one may was settled before, in the same transaction.
INSERT OR REPLACE INTO lease (one, token, host, pid, process_started_at, until) VALUES (1, ?, ?, ?, ?, ?)

-- name: renew_lease
-- Staying awake, if it is us.
UPDATE lease SET until = ? WHERE token = ?

-- name: release_lease
-- Going to sleep, if it was us.
DELETE FROM lease WHERE token = ?
