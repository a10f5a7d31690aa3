-- JSON: the definitions that it calls, by their hashes. What formats 1 and 2 wrote calls what is
-- loaded when it calls.
ALTER TABLE definition ADD COLUMN calls TEXT NOT NULL DEFAULT '[]';
