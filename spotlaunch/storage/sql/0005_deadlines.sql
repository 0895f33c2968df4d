-- For deadlines. Of a job: when it must have ended (NULL: whenever), how much useful work is stored and at which step
-- that was, what its policy wants to know again and which pools it has seen (JSON), when it was last asked and what it
-- said.
ALTER TABLE jobs ADD COLUMN deadline_at REAL;
ALTER TABLE jobs ADD COLUMN done_s REAL NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN done_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN step_s REAL;
ALTER TABLE jobs ADD COLUMN policy_memory TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN spells TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN decided_at REAL;
ALTER TABLE jobs ADD COLUMN decision TEXT NOT NULL DEFAULT '';

-- Of an attempt: the job's useful work that it began with, and what it has stored since.
ALTER TABLE attempts ADD COLUMN base_s REAL;
ALTER TABLE attempts ADD COLUMN worked_s REAL NOT NULL DEFAULT 0;
