-- Every question and every change of the market's memory, by name.

-- name: fresh_answers
-- Whose answers there are between two times, without their offers; the newest first.
SELECT rowid, provider, settings, want FROM answers WHERE asked_at BETWEEN ? AND ? ORDER BY asked_at DESC

-- name: answer
-- One of them, whole.
SELECT provider, asked_at, start_s, prices_only, missing, offers, head, codes FROM answers WHERE rowid = ?

-- name: put_answer
-- The newest answer takes the place of the one before.
INSERT OR REPLACE INTO answers (provider, settings, want, asked_at, start_s, prices_only, missing, offers, head,
                                codes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: forget_answers
-- Those that nobody will want again: too old, or of a clock that was set back.
DELETE FROM answers WHERE asked_at NOT BETWEEN ? AND ?

-- name: known_pools
-- The pools of one GPU at one provider, with what they cost when last seen.
SELECT region, zone, instance_type, market, id, price_usd_hour, on_sale, changed_at, seen_at FROM pools
WHERE gpu = ? AND provider = ?

-- name: add_pool
-- A pool that was never seen before.
INSERT INTO pools (
    gpu, gpu_count, provider, region, zone, instance_type, market, price_usd_hour, on_sale, changed_at, seen_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: set_pool
-- It costs something else now.
UPDATE pools SET price_usd_hour = ?, on_sale = ?, changed_at = ?, seen_at = ? WHERE id = ?

-- name: see_pools
-- These (a JSON list) cost what they did, and were seen again.
UPDATE pools SET seen_at = ? WHERE id IN (SELECT value FROM json_each(?))

-- name: add_change
-- A line of the history. Two at the same moment: the later word counts.
INSERT OR REPLACE INTO changes (pool, at, price_usd_hour, on_sale) VALUES (?, ?, ?, ?)

-- name: forget_future
-- Changes of a pool that were written under a clock that was since set back.
DELETE FROM changes WHERE pool = ? AND at > ?

-- name: gpus
-- Every GPU that was ever seen.
SELECT DISTINCT gpu FROM pools

-- name: history
-- The changes of all pools of a GPU between two times, and the one before them, which was in force at the first.
SELECT p.provider, p.region, p.zone, p.instance_type, p.market, p.gpu, p.gpu_count, p.seen_at,
       c.at, c.price_usd_hour, c.on_sale
FROM pools p JOIN changes c ON c.pool = p.id
WHERE p.gpu = :gpu AND p.seen_at >= :since AND c.at <= :until
  AND c.at >= coalesce((SELECT max(at) FROM changes WHERE pool = p.id AND at <= :since), :since)
ORDER BY p.provider, p.region, p.zone, p.instance_type, p.market, c.at

-- name: forget_pools
-- Pools that nobody has seen for too long.
DELETE FROM pools WHERE seen_at < ?

-- name: forget_changes
-- Changes of pools that are gone, and old ones, but the one that is still in force.
DELETE FROM changes WHERE at < ? AND at < coalesce((SELECT changed_at FROM pools WHERE id = changes.pool), 1e99)

-- name: meta
-- One value by its key.
SELECT value FROM meta WHERE key = ?

-- name: put_meta
-- Set it.
INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)
