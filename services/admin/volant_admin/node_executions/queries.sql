-- get_node
-- One node of an execution.
SELECT n.node_id, n.record, n.inputs, n.outputs, n.duration, n.node_execution_created_at
FROM admin.node_executions n
JOIN admin.executions e ON e.id = n.execution_id
WHERE e.execution_project = $1 AND e.execution_domain = $2 AND e.execution_name = $3 AND n.node_id = $4;

-- list_top
-- The nodes of an execution that run under no other.
SELECT n.node_id, n.record, NULL::bytea AS outputs, n.duration, n.node_execution_created_at,
    EXISTS (
        SELECT FROM admin.node_executions c WHERE c.execution_id = n.execution_id AND c.parent_node_id = n.node_id
    ) AS has_children
FROM admin.node_executions n
WHERE n.execution_id = (
        SELECT id FROM admin.executions
        WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3
    )
    AND n.parent_node_id IS NULL;

-- list_children
-- The nodes that run under another.
SELECT n.node_id, n.record, NULL::bytea AS outputs, n.duration, n.node_execution_created_at,
    EXISTS (
        SELECT FROM admin.node_executions c WHERE c.execution_id = n.execution_id AND c.parent_node_id = n.node_id
    ) AS has_children
FROM admin.node_executions n
WHERE n.execution_id = (
        SELECT id FROM admin.executions
        WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3
    )
    AND n.parent_node_id = $4;

-- list_of_task
-- The nodes that a task execution launched.
SELECT n.node_id, n.record, NULL::bytea AS outputs, n.duration, n.node_execution_created_at
FROM admin.node_executions n
WHERE n.execution_id = (
        SELECT id FROM admin.executions
        WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3
    )
    AND n.parent_node_id = $4 AND n.parent_task_attempt = $5;

-- all_nodes
-- Every node of an execution, children as well.
SELECT n.node_id, n.parent_node_id, n.record, NULL::bytea AS outputs, n.duration, n.node_execution_created_at
FROM admin.node_executions n
WHERE n.execution_id = $1
ORDER BY n.node_execution_created_at, n.node_id
LIMIT $2;
