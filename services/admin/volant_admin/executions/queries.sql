-- insert_execution
-- A new execution with its tags, leased to a session if that still stands.
WITH made AS (
    INSERT INTO admin.executions (
        execution_project, execution_domain, execution_name, phase, execution_created_at, execution_updated_at, mode,
        launch_plan_id, workflow_id, task_id, launch_entity, source_execution_id, parent_execution_id, parent_node_id,
        "user", inputs_uri, inputs, user_inputs_uri, user_inputs, head, effective_spec, closure_uri, workflow,
        lease_session, lease_epoch
    )
    SELECT
        $1, $2, $3, 'UNDEFINED', $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
        s.session, CASE WHEN s.session IS NULL THEN 0 ELSE 1 END
    FROM (SELECT 1) AS one LEFT JOIN admin.engine_sessions s ON s.session = $22
    RETURNING id, lease_session
), tagged AS (
    INSERT INTO admin.execution_tags (execution_id, key, value)
    SELECT made.id, t.key, t.value FROM made, unnest($23::text[], $24::text[]) AS t (key, value)
    ON CONFLICT DO NOTHING
)
SELECT id, lease_session FROM made;

-- launch_plan
-- A launch plan with its workflow. What is selected never changes.
SELECT l.id, l.spec, l.closure, w.id AS workflow, w.closure_uri, w.project, w.domain, w.name, w.version
FROM admin.launch_plans l JOIN admin.workflows w ON w.id = l.workflow_id
WHERE l.project = $1 AND l.domain = $2 AND l.name = $3 AND l.version = $4;

-- launch_context
-- What may have changed since the last launch: project labels, matchable attributes, the parent.
SELECT
    (SELECT labels FROM admin.projects WHERE identifier = $1) AS project_labels,
    (
        SELECT attributes FROM admin.attributes
        WHERE resource_type = 6 AND project IN ($1, '') AND domain IN ($2, '') AND workflow IN ($3, '')
            AND launch_plan = ''
        ORDER BY priority DESC LIMIT 1
    ) AS config,
    (
        SELECT attributes FROM admin.attributes
        WHERE resource_type = 6 AND project = $1 AND domain = '' AND workflow = '' AND launch_plan = ''
    ) AS project_config,
    (
        SELECT attributes FROM admin.attributes
        WHERE resource_type = 7 AND project IN ($1, '') AND domain IN ($2, '') AND workflow = '' AND launch_plan = ''
        ORDER BY priority DESC LIMIT 1
    ) AS cluster_assignment,
    p.id AS parent, p."user" AS parent_user, p.head AS parent_head, p.ended AS parent_ended
FROM (SELECT 1) AS one
LEFT JOIN admin.executions p
    ON p.execution_project = $4 AND p.execution_domain = $5 AND p.execution_name = $6;

-- count_active
-- Executions of a launch plan, of any version, that have not ended and are not about to.
SELECT count(*) FROM admin.executions e JOIN admin.launch_plans l ON l.id = e.launch_plan_id
WHERE NOT e.ended AND e.phase IN ('UNDEFINED', 'QUEUED', 'RUNNING')
    AND l.project = $1 AND l.domain = $2 AND l.name = $3 AND e.execution_project = $1 AND e.execution_domain = $2;

-- get_execution
-- One execution.
SELECT e.id, e.head, e.phase, e.execution_updated_at, e.started_at, e.duration, e.state, e.state_changed_at,
    e.state_changed_by, e.abort_cause, e.abort_principal, e.error, e.output_uri, e.outputs, e.cluster
FROM admin.executions e
WHERE e.execution_project = $1 AND e.execution_domain = $2 AND e.execution_name = $3;

-- list_executions
-- Executions of a project and domain, with or without a name.
SELECT e.id, e.head, e.phase, e.execution_updated_at, e.started_at, e.duration, e.state, e.state_changed_at,
    e.state_changed_by, e.abort_cause, e.abort_principal, e.error, e.output_uri, NULL::bytea AS outputs, e.cluster
FROM admin.executions e
WHERE e.execution_project = $1 AND e.execution_domain = $2 AND ($3::text = '' OR e.execution_name = $3);

-- get_values
-- An execution's inputs and outputs, or where they are.
SELECT id, inputs, inputs_uri, outputs, output_uri
FROM admin.executions
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3;

-- get_source
-- What a relaunch or recovery starts from.
SELECT id, head, CASE WHEN user_inputs_uri IS NULL THEN coalesce(user_inputs, inputs) END AS user_inputs,
    coalesce(user_inputs_uri, inputs_uri) AS user_inputs_uri
FROM admin.executions
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3;

-- find_execution
-- An execution's number.
SELECT id FROM admin.executions
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3;

-- abort_execution
-- A user wants it ended. The first cause counts.
UPDATE admin.executions SET
    execution_updated_at = CASE WHEN phase = 'ABORTING' THEN execution_updated_at ELSE $6 END,
    abort_cause = CASE WHEN phase = 'ABORTING' THEN abort_cause ELSE $4 END,
    abort_principal = CASE WHEN phase = 'ABORTING' THEN abort_principal ELSE $5 END,
    phase = 'ABORTING'
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3 AND NOT ended
RETURNING id;

-- phase_of
-- The phase of an execution.
SELECT phase FROM admin.executions
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3;

-- update_state
-- Archive an execution, or bring it back.
UPDATE admin.executions SET state = $4, state_changed_at = $5, state_changed_by = $6
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3;
