-- What each pool has lived through is asked before every ranking: one walk over this index, however many machines
-- there were. It holds all that the question needs, so that no row is fetched.
CREATE INDEX machines_lived ON machines (
    provider, region, zone, instance_type, market, outcome, up_at, ended_at
) WHERE up_at IS NOT NULL;
