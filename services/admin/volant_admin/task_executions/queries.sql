-- get_task_execution
-- One attempt of a task.
SELECT t.execution_id, t.node_id, t.retry_attempt, t.record, t.added, t.outputs, t.duration,
    t.task_execution_created_at
FROM admin.task_executions t
JOIN admin.executions e ON e.id = t.execution_id
WHERE e.execution_project = $1 AND e.execution_domain = $2 AND e.execution_name = $3 AND t.node_id = $4
    AND t.retry_attempt = $5 AND t.project = $6 AND t.domain = $7 AND t.name = $8 AND t.version = $9;

-- list_task_executions
-- The attempts of a node's task.
SELECT t.execution_id, t.node_id, t.retry_attempt, t.record, t.added, NULL::bytea AS outputs, t.duration,
    t.task_execution_created_at
FROM admin.task_executions t
WHERE t.execution_id = (
        SELECT id FROM admin.executions
        WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3
    )
    AND t.node_id = $4;

-- all_attempts
-- Every attempt of every task of an execution.
SELECT t.execution_id, t.node_id, t.retry_attempt, t.record, t.added, NULL::bytea AS outputs, t.duration,
    t.task_execution_created_at
FROM admin.task_executions t
WHERE t.execution_id = $1
ORDER BY t.node_id, t.retry_attempt
LIMIT $2;

-- shown_elements
-- Elements of a map task: those that failed or still run before the others.
SELECT a.record FROM admin.array_elements a
WHERE a.execution_id = $1 AND a.node_id = $2
ORDER BY (a.phase = 3), a.element, a.attempt
LIMIT $3;
