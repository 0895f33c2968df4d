-- What a job's first machine must satisfy (`submit --when`); empty for none.
ALTER TABLE jobs ADD COLUMN start_when TEXT NOT NULL DEFAULT '';
