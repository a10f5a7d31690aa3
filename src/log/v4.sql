CREATE TABLE builtin (
  target TEXT NOT NULL,                 -- subprocess, pods
  name TEXT NOT NULL,                   -- of a block, of a pod; empty: the target's own numbers
  body TEXT NOT NULL,                   -- JSON: what the target knows of it
  PRIMARY KEY (target, name)
) STRICT, WITHOUT ROWID;
