CREATE TABLE definition (
  hash TEXT NOT NULL PRIMARY KEY,       -- of the two texts below
  name TEXT NOT NULL,
  source TEXT NOT NULL,                 -- the YAML, as it was when the saga began
  catalog TEXT NOT NULL,                -- JSON: the declarations that it uses
  first_seen_at TEXT NOT NULL           -- RFC 3339, UTC; so are all times
) STRICT;

CREATE TABLE saga (
  saga_id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    -- A chain, the frequent ones first: an IN list would be built anew for every row.
    state = 'running' OR state = 'completed' OR state = 'queued' OR state = 'compensating'
    OR state = 'compensated' OR state = 'failed' OR state = 'failed_compensation'
    OR state = 'corrupt'),
  cause TEXT,                           -- why it failed: timed_out, evicted, cancelled, ...
  reason TEXT,                          -- the same in words
  started_at TEXT,                      -- absent while it is queued
  ended_at TEXT,                        -- absent while it is open
  trigger_event TEXT NOT NULL,          -- what started it, or call
  input TEXT NOT NULL,                  -- JSON
  result TEXT,                          -- JSON
  resolved_at TEXT,                     -- when an operator settled failed_compensation
  resolution TEXT,                      -- the operator's reason
  created_at TEXT NOT NULL,
  definition TEXT NOT NULL REFERENCES definition (hash)
) STRICT;

CREATE INDEX saga_open ON saga (saga_id) WHERE ended_at IS NULL;
CREATE INDEX saga_incident ON saga (saga_id)
  WHERE state = 'failed_compensation' AND ended_at IS NOT NULL AND resolved_at IS NULL;

CREATE TABLE fact (
  seq INTEGER NOT NULL PRIMARY KEY,     -- number of the first record of body
  n INTEGER NOT NULL,                   -- how many there are: seq, seq + 1, ...
  saga_id INTEGER REFERENCES saga (saga_id) ON DELETE CASCADE,
  at INTEGER NOT NULL,                  -- milliseconds since 1970; read saga_record for text
  body TEXT NOT NULL                    -- JSON: an array of {kind: detail}
) STRICT;

CREATE INDEX fact_of_saga ON fact (saga_id) WHERE saga_id IS NOT NULL;
CREATE INDEX fact_of_none ON fact (seq, n) WHERE saga_id IS NULL;

CREATE TABLE mark (
  name TEXT NOT NULL PRIMARY KEY,       -- numbers that never fall, whatever is deleted
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE world (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,                 -- the last record that body contains
  body TEXT NOT NULL                    -- JSON: the state that belongs to no saga
) STRICT;

CREATE VIEW saga_record (seq, saga_id, at, kind, step, detail) AS
SELECT fact.seq + coalesce(record.key, 0),
  fact.saga_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', fact.at / 1000.0, 'unixepoch'),
  one.key,
  CASE one.type WHEN 'object' THEN json_extract(one.value, '$.step') END,
  one.value
FROM fact,
  json_each(CASE WHEN json_valid(fact.body) THEN fact.body ELSE json_array(fact.body) END) AS record,
  json_each(CASE WHEN record.type = 'object' AND record.value <> '{}' THEN record.value
    ELSE json_object('unreadable', record.value) END) AS one;

CREATE VIEW saga_step (saga_id, step, state, attempt, command_id, target, command,
  started_at, ended_at, reason, fields, echo) AS
WITH told AS (
  -- What a record says of its step's state; what says nothing of it is left out. Of each kind the
  -- last one counts: its detail is found as the greatest text that begins with the number.
  SELECT saga_id, step, at, kind, detail, printf('%019d', seq) AS number,
    CASE kind
      WHEN 'issued' THEN 'issued'
      WHEN 'reissued' THEN 'issued'
      WHEN 'entered' THEN 'waiting'
      WHEN 'backoff' THEN 'backing_off'
      WHEN 'undoing' THEN 'undoing'
      WHEN 'probing' THEN 'probing'
      WHEN 'emitted' THEN 'succeeded'
      WHEN 'outcome' THEN detail ->> 'outcome'
      WHEN 'undone' THEN CASE WHEN detail ->> 'ok' THEN 'compensated' ELSE 'compensation_failed' END
    END AS state
  FROM saga_record
  WHERE saga_id IS NOT NULL AND step IS NOT NULL
    AND kind IN ('issued', 'reissued', 'entered', 'sent', 'backoff', 'undoing', 'probing',
      'emitted', 'outcome', 'undone')
),
step AS (
  SELECT saga_id, step,
    substr(max(number || state) FILTER (WHERE state IS NOT NULL), 20) AS state,
    min(number) AS first,
    max(detail ->> 'attempt') AS attempt,
    substr(max(number || detail) FILTER (WHERE kind = 'issued'), 20) AS issued,
    substr(max(number || detail) FILTER (WHERE kind = 'outcome'), 20) AS outcome,
    CAST(max(number) FILTER (WHERE kind = 'outcome') AS INTEGER) AS outcome_seq,
    substr(max(number || (detail ->> 'reason')) FILTER (WHERE detail ->> 'reason' IS NOT NULL), 20)
      AS reason,
    min(at) AS started_at,
    substr(max(number || at) FILTER (WHERE kind IN ('outcome', 'undone', 'emitted')), 20)
      AS ended_at
  FROM told GROUP BY saga_id, step
)
-- A first attempt is not written down. What was said of an attempt, or of an undo, that was tried
-- again is no word on the step any more. The answer stands before the outcome that it brought.
SELECT saga_id, step, state, coalesce(attempt, state <> 'skipped'), issued ->> 'command_id',
  issued ->> 'target', issued ->> 'cmd', started_at,
  CASE WHEN state NOT IN ('issued', 'waiting', 'backing_off', 'probing', 'undoing') THEN ended_at END,
  CASE WHEN state IN ('backing_off', 'probing', 'undoing', 'compensation_failed') THEN reason
    WHEN state NOT IN ('issued', 'waiting') THEN outcome ->> 'reason' END,
  issued -> 'with',
  coalesce(outcome -> 'echo', (
    SELECT answer.detail -> 'fields' FROM saga_record AS answer
    WHERE answer.saga_id = step.saga_id AND answer.kind = 'event' AND answer.step = step.step
      AND answer.seq < outcome_seq
    ORDER BY answer.seq DESC LIMIT 1))
FROM step ORDER BY saga_id, first;
