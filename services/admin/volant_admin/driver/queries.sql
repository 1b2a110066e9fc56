-- driver
-- Where an attempt that may add nodes stands, and which of these nodes are there. The engine's reports are a little
-- late: rows may be missing.
SELECT e.execution_project, e.execution_domain, e.execution_name, e.ended OR e.phase = 'ABORTING' AS is_over,
    coalesce(n.ended, false) OR coalesce(t.ended, false) AS has_ended,
    ARRAY(SELECT d.node_id FROM admin.driven_nodes d WHERE d.execution_id = e.id AND d.node_id = ANY($4::text[])) AS known
FROM admin.executions e
LEFT JOIN admin.node_executions n ON n.execution_id = e.id AND n.node_id = $2
LEFT JOIN admin.task_executions t ON t.execution_id = e.id AND t.node_id = $2 AND t.retry_attempt = $3
WHERE e.id = $1;

-- add_nodes
-- New nodes of a driver; those that are there already stay as they are. The ids of the new ones.
INSERT INTO admin.driven_nodes (
    execution_id, node_id, parent_node_id, key, closure_uri, inputs, inputs_uri, created_at
)
SELECT $1, r.node_id, $2, r.key, r.closure_uri, r.inputs, r.inputs_uri, $3
FROM unnest($4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[]) AS r (
    node_id, key, closure_uri, inputs, inputs_uri
)
ON CONFLICT (execution_id, node_id) DO NOTHING
RETURNING node_id;

-- all_results
-- A page of what a driver's nodes came to.
SELECT d.node_id, d.key, n.record, n.outputs
FROM admin.driven_nodes d
JOIN admin.node_executions n ON n.execution_id = d.execution_id AND n.node_id = d.node_id
WHERE d.execution_id = $1 AND d.parent_node_id = $2 AND n.ended AND d.node_id > $3
ORDER BY d.node_id
LIMIT $4;

-- some_results
-- What these of a driver's nodes came to.
SELECT d.node_id, d.key, n.record, n.outputs
FROM admin.driven_nodes d
JOIN admin.node_executions n ON n.execution_id = d.execution_id AND n.node_id = d.node_id
WHERE d.execution_id = $1 AND d.parent_node_id = $2 AND n.ended AND d.node_id = ANY($3::text[]);
