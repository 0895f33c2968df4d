-- How often to save. Of an attempt: what its program was told (0: nothing), and why. Of a job: how many seconds a
-- checkpoint takes as measured on its newest machine (NULL: never measured).
ALTER TABLE attempts ADD COLUMN every_s REAL NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN every_why TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN write_s REAL;
