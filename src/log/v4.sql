CREATE TABLE builtin (
  target TEXT NOT NULL,                 -- subprocess, pods
  name TEXT NOT NULL,                   -- of a block, of a pod; empty: the target's own numbers
  body TEXT NOT NULL,                   -- JSON: what the target knows of it
  PRIMARY KEY (target, name)
) STRICT, WITHOUT ROWID;

CREATE VIEW block (block_id, status, generation, exit_code, session_id, pid, saga_id) AS
SELECT name, body ->> 'status', body ->> 'generation', body ->> 'exit_code',
  coalesce(body ->> '$.session.captured', body ->> '$.session.hydrated', ''),
  body ->> '$.turn.pid', body ->> '$.turn.saga_id'
FROM builtin WHERE target = 'subprocess' AND name <> '';

CREATE VIEW pod (pod_name, state, generation, owner, pid, socket) AS
SELECT name, body ->> '$.pod.phase.state', body ->> '$.pod.generation', coalesce(body ->> '$.pod.hold.owner', body ->> '$.pod.parent'),
  body ->> '$.pod.phase.pid', body ->> '$.pod.socket'
FROM builtin WHERE target = 'pods' AND name <> '' AND body -> '$.pod' IS NOT NULL;
