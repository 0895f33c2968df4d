-- What was seen of pools, by name.

-- name: lived
-- Every machine that was ever up: since when, until when (or :now), and whether it was taken or lost. Not those that
-- ended before :since.
SELECT provider, region, zone, instance_type, market, gpu, gpu_count, up_at, coalesce(ended_at, :now),
       outcome IS NOT NULL AND outcome IN ('preempted', 'lost')
FROM machines WHERE up_at IS NOT NULL AND coalesce(ended_at, :now) >= :since

-- name: refused
-- Refusals for want of capacity, by pool and hour.
SELECT provider, region, zone, instance_type, market, hour, count FROM refused WHERE hour >= ?

-- name: note_refused
-- One more.
INSERT INTO refused (provider, region, zone, instance_type, market, hour, count) VALUES (?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (provider, region, zone, instance_type, market, hour) DO UPDATE SET count = count + 1

-- name: boots
-- The newest starts: from the intent to launch until the program ran. Not of those that waited for the one before.
SELECT m.provider, m.region, m.zone, m.instance_type, m.market, a.running_at - m.intended_at
FROM attempts a JOIN machines m ON m.job = a.job AND m.attempt = a.number
WHERE a.running_at > m.intended_at AND a.running_at >= ? AND a.predecessor = 0 AND m.up_at IS NOT NULL
ORDER BY a.running_at DESC LIMIT 5000

-- name: imported
-- What others saw.
SELECT source, as_of, lessons FROM imported ORDER BY source

-- name: put_imported
-- The newest word of one of them.
INSERT OR REPLACE INTO imported (source, as_of, lessons) VALUES (?, ?, ?)
