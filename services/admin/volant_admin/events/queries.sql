-- lock_execution
-- An execution that an event is about: nobody else changes it meanwhile.
SELECT id, phase, cluster, parent_execution_id, lease_session FROM admin.executions
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3
FOR NO KEY UPDATE;

-- set_cluster
-- Where an execution runs.
UPDATE admin.executions SET cluster = $2 WHERE id = $1;

-- node
-- What is recorded of a node.
SELECT phase, ended, record, inputs, outputs, parent_task_attempt FROM admin.node_executions
WHERE execution_id = $1 AND node_id = $2;

-- task
-- What is recorded of an attempt.
SELECT phase, phase_version, ended, record FROM admin.task_executions
WHERE execution_id = $1 AND node_id = $2 AND retry_attempt = $3;
