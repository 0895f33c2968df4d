-- When a listing first showed a machine: from then on, one that lacks it tells that it is gone.
ALTER TABLE machines ADD COLUMN seen_at REAL;
