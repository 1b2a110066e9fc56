-- create_signal
-- A signal, unless it is there.
INSERT INTO admin.signals (execution_id, signal_id, type, created_at, updated_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (execution_id, signal_id) DO NOTHING;

-- get_signal
-- One signal.
SELECT signal_id, type, value FROM admin.signals WHERE execution_id = $1 AND signal_id = $2;

-- find_signal
-- One signal by its execution's name.
SELECT g.execution_id, g.type
FROM admin.signals g
JOIN admin.executions e ON e.id = g.execution_id
WHERE e.execution_project = $1 AND e.execution_domain = $2 AND e.execution_name = $3 AND g.signal_id = $4;

-- set_signal
-- A value for a signal; the last one counts.
UPDATE admin.signals SET value = $3, updated_at = $4 WHERE execution_id = $1 AND signal_id = $2;

-- list_signals
-- The signals of an execution.
SELECT g.signal_id, g.type, g.value
FROM admin.signals g
WHERE g.execution_id = (
    SELECT id FROM admin.executions
    WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3
);
