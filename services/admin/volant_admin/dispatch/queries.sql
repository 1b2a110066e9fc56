-- record_report
-- Everything that a report says, for the executions that its session leases by the same epoch: one transaction.
WITH held AS MATERIALIZED (
    SELECT e.id
    FROM admin.executions e
    JOIN unnest($2::bigint[], $3::bigint[]) AS r (id, epoch) ON e.id = r.id
    WHERE $1::text IS NULL OR (e.lease_session = $1 AND e.lease_epoch = r.epoch)
    ORDER BY e.id
    FOR NO KEY UPDATE OF e
), nodes AS (
    INSERT INTO admin.node_executions AS n (
        execution_id, node_id, phase, ended, parent_node_id, node_execution_created_at, node_execution_updated_at,
        started_at, duration, error_kind, error_code, cache_status, input_uri, record, inputs, outputs,
        parent_task_attempt
    )
    SELECT
        r.execution, r.node_id, r.phase, r.ended, r.parent, admin.moment(r.created), admin.moment(r.updated),
        admin.moment(r.started),
        CASE WHEN r.ended THEN greatest(r.updated - r.started, 0) * interval '1 microsecond' END,
        r.error_kind, r.error_code, r.cache, r.input_uri, r.record, r.inputs, r.outputs, r.parent_attempt
    FROM unnest(
        $15::bigint[], $16::text[], $17::text[], $18::boolean[], $19::text[], $20::bigint[], $21::bigint[],
        $22::bigint[], $23::text[], $24::text[], $25::text[], $26::text[], $27::bytea[], $28::bytea[], $29::bytea[],
        $30::bigint[]
    ) AS r (
        execution, node_id, phase, ended, parent, created, updated, started, error_kind, error_code, cache, input_uri,
        record, inputs, outputs, parent_attempt
    )
    -- Not a join: looked up in a hash table, whatever the planner thinks of the numbers.
    WHERE (r.execution IN (SELECT id FROM held)) IS TRUE
    ON CONFLICT (execution_id, node_id) DO UPDATE SET
        phase = excluded.phase,
        ended = excluded.ended,
        parent_node_id = excluded.parent_node_id,
        node_execution_created_at = excluded.node_execution_created_at,
        node_execution_updated_at = excluded.node_execution_updated_at,
        started_at = excluded.started_at,
        duration = excluded.duration,
        error_kind = excluded.error_kind,
        error_code = excluded.error_code,
        cache_status = excluded.cache_status,
        input_uri = excluded.input_uri,
        record = excluded.record,
        inputs = excluded.inputs,
        outputs = excluded.outputs
    WHERE NOT n.ended OR n.phase = excluded.phase
), tasks AS (
    INSERT INTO admin.task_executions AS t (
        execution_id, node_id, retry_attempt, project, domain, name, version, phase, phase_version, ended,
        task_execution_created_at, task_execution_updated_at, started_at, duration, input_uri, record, added, outputs
    )
    SELECT
        r.execution, r.node_id, r.attempt, r.project, r.domain, r.name, r.version, r.phase, r.phase_version, r.ended,
        admin.moment(r.created), admin.moment(r.updated), admin.moment(r.started),
        CASE WHEN r.ended THEN greatest(r.updated - r.started, 0) * interval '1 microsecond' END,
        r.input_uri, r.record, r.added, r.outputs
    FROM unnest(
        $31::bigint[], $32::text[], $33::bigint[], $34::text[], $35::text[], $36::text[], $37::text[], $38::text[],
        $39::bigint[], $40::boolean[], $41::bigint[], $42::bigint[], $43::bigint[], $44::text[], $45::bytea[],
        $46::bytea[], $47::bytea[]
    ) AS r (
        execution, node_id, attempt, project, domain, name, version, phase, phase_version, ended, created, updated,
        started, input_uri, record, added, outputs
    )
    -- Not a join: looked up in a hash table, whatever the planner thinks of the numbers.
    WHERE (r.execution IN (SELECT id FROM held)) IS TRUE
    ON CONFLICT (execution_id, node_id, retry_attempt) DO UPDATE SET
        project = excluded.project,
        domain = excluded.domain,
        name = excluded.name,
        version = excluded.version,
        phase = excluded.phase,
        phase_version = excluded.phase_version,
        ended = excluded.ended,
        task_execution_created_at = excluded.task_execution_created_at,
        task_execution_updated_at = excluded.task_execution_updated_at,
        started_at = excluded.started_at,
        duration = excluded.duration,
        input_uri = excluded.input_uri,
        record = excluded.record,
        added = CASE
            WHEN position(excluded.added IN t.added) > 0 THEN t.added
            ELSE t.added || excluded.added
        END,
        outputs = excluded.outputs
    WHERE NOT t.ended OR t.phase = excluded.phase
), elements AS (
    INSERT INTO admin.array_elements AS a (execution_id, node_id, element, attempt, phase, ended, record)
    SELECT r.execution, r.node_id, r.element, r.attempt, r.phase, r.ended, r.record
    FROM unnest(
        $48::bigint[], $49::text[], $50::bigint[], $51::bigint[], $52::integer[], $53::boolean[], $54::bytea[]
    ) AS r (execution, node_id, element, attempt, phase, ended, record)
    -- Not a join: looked up in a hash table, whatever the planner thinks of the numbers.
    WHERE (r.execution IN (SELECT id FROM held)) IS TRUE
    ON CONFLICT (execution_id, node_id, element, attempt) DO UPDATE SET
        phase = excluded.phase,
        ended = excluded.ended,
        record = excluded.record
    WHERE NOT a.ended OR a.phase = excluded.phase
), changed AS (
    UPDATE admin.executions e SET
        phase = CASE WHEN e.phase = 'ABORTING' AND NOT r.ended THEN e.phase ELSE r.phase END,
        ended = r.ended,
        started_at = coalesce(e.started_at, admin.moment(r.started)),
        execution_updated_at = coalesce(admin.moment(r.occurred), e.execution_updated_at),
        duration = CASE
            WHEN r.ended THEN greatest(
                admin.moment(r.occurred) - coalesce(e.started_at, admin.moment(r.started)), interval '0'
            )
        END,
        error_kind = CASE WHEN r.failed THEN r.error_kind ELSE e.error_kind END,
        error_code = CASE WHEN r.failed THEN r.error_code ELSE e.error_code END,
        error = CASE WHEN r.failed THEN r.error ELSE e.error END,
        output_uri = coalesce(r.output_uri, e.output_uri),
        outputs = coalesce(r.outputs, e.outputs)
    FROM unnest(
        $4::bigint[], $5::text[], $6::boolean[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::bytea[],
        $12::text[], $13::bytea[], $14::boolean[]
    ) AS r (execution, phase, ended, started, occurred, error_kind, error_code, error, output_uri, outputs, failed)
    WHERE e.id = r.execution AND NOT e.ended AND (r.execution IN (SELECT id FROM held)) IS TRUE
    RETURNING e.id, e.ended, e.parent_execution_id
)
SELECT id, false AS ended, NULL::bigint AS parent_execution_id FROM held
UNION ALL
SELECT id, ended, parent_execution_id FROM changed WHERE ended;

-- known_executions
-- Which of these executions exist.
SELECT id FROM admin.executions WHERE id = ANY($1::bigint[]);

-- attach_session
-- A new session, or one that comes back (its leases still stand).
INSERT INTO admin.engine_sessions AS s (session, engine, replica, attached_at, expires_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (session) DO UPDATE SET replica = excluded.replica, attached_at = excluded.attached_at,
    expires_at = excluded.expires_at;

-- renew_sessions
-- Keep the leases of sessions that were heard of. Those that are no longer there are not returned.
UPDATE admin.engine_sessions SET expires_at = $2 WHERE session = ANY($1::text[]) RETURNING session;

-- end_session
-- A session that leaves.
DELETE FROM admin.engine_sessions WHERE session = $1;

-- end_expired_sessions
-- Sessions not heard of for the length of a lease.
DELETE FROM admin.engine_sessions WHERE expires_at <= $1;

-- release_orphans
-- Executions whose session is gone wait for another. Locked in the order of reports, or the two could wait for each other.
WITH orphans AS MATERIALIZED (
    SELECT o.id FROM admin.executions o
    WHERE NOT o.ended AND o.lease_session IS NOT NULL
        AND NOT EXISTS (SELECT FROM admin.engine_sessions s WHERE s.session = o.lease_session)
    ORDER BY o.id
    FOR NO KEY UPDATE OF o
)
UPDATE admin.executions e SET lease_session = NULL FROM orphans WHERE e.id = orphans.id;

-- next_expiry
-- When the first session expires.
SELECT min(expires_at) FROM admin.engine_sessions;

-- void_sessions
-- No session counts any more.
DELETE FROM admin.engine_sessions;

-- void_leases
-- No lease counts any more.
UPDATE admin.executions SET lease_session = NULL WHERE NOT ended AND lease_session IS NOT NULL;

-- claim
-- Lease waiting executions to a session.
UPDATE admin.executions e SET lease_session = $1, lease_epoch = e.lease_epoch + 1
FROM (
    SELECT w.id FROM admin.executions w
    WHERE NOT w.ended AND w.lease_session IS NULL
    ORDER BY w.id
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
) AS waiting
WHERE e.id = waiting.id AND EXISTS (SELECT FROM admin.engine_sessions s WHERE s.session = $1)
RETURNING e.id, e.execution_project, e.execution_domain, e.execution_name, e.lease_epoch, e.execution_created_at,
    e.phase, e.abort_cause, e.abort_principal, e.effective_spec, e.workflow, e.closure_uri, e.inputs, e.inputs_uri;

-- leased
-- What a session leases.
SELECT e.id, e.execution_project, e.execution_domain, e.execution_name, e.lease_epoch, e.execution_created_at,
    e.phase, e.abort_cause, e.abort_principal, e.effective_spec, e.workflow, e.closure_uri, e.inputs, e.inputs_uri
FROM admin.executions e
WHERE e.lease_session = $1 AND NOT e.ended
ORDER BY e.id;

-- abort_news
-- An execution that a user wants ended, and who drives it.
SELECT e.id, e.execution_project, e.execution_domain, e.execution_name, e.lease_session, e.abort_cause,
    e.abort_principal
FROM admin.executions e
WHERE e.id = ANY($1::bigint[]) AND NOT e.ended AND e.lease_session IS NOT NULL;

-- signal_news
-- A signal with a value, and who drives its execution.
SELECT e.id AS execution_id, e.execution_project, e.execution_domain, e.execution_name, e.lease_session, g.signal_id, g.value
FROM unnest($1::bigint[], $2::text[]) AS r (execution, signal_id)
JOIN admin.signals g ON g.execution_id = r.execution AND g.signal_id = r.signal_id
JOIN admin.executions e ON e.id = r.execution
WHERE NOT e.ended AND e.lease_session IS NOT NULL AND g.value IS NOT NULL;

-- child_news
-- Ended children, and who drives their parents.
SELECT c.id AS child_id, p.execution_project, p.execution_domain, p.execution_name, p.lease_session, c.parent_node_id,
    c.execution_project AS child_project, c.execution_domain AS child_domain, c.execution_name AS child_name,
    c.phase, c.error, c.output_uri, c.outputs
FROM admin.executions c
JOIN admin.executions p ON p.id = c.parent_execution_id
WHERE c.id = ANY($1::bigint[]) AND c.ended AND NOT p.ended AND p.lease_session IS NOT NULL;

-- added_news
-- Nodes that drivers added and that have not ended, and who drives their executions.
SELECT d.execution_id, e.execution_project, e.execution_domain, e.execution_name, e.lease_session, d.node_id,
    d.parent_node_id, d.key, d.closure_uri, d.inputs, d.inputs_uri
FROM unnest($1::bigint[], $2::text[]) AS r (execution, node_id)
JOIN admin.driven_nodes d ON d.execution_id = r.execution AND d.node_id = r.node_id
JOIN admin.executions e ON e.id = d.execution_id
LEFT JOIN admin.node_executions n ON n.execution_id = d.execution_id AND n.node_id = d.node_id
WHERE NOT e.ended AND e.lease_session IS NOT NULL AND n.ended IS NOT TRUE
ORDER BY d.execution_id, d.created_at;

-- session_added
-- All nodes that drivers added to what a session leases and that have not ended.
SELECT d.execution_id, e.execution_project, e.execution_domain, e.execution_name, e.lease_session, d.node_id,
    d.parent_node_id, d.key, d.closure_uri, d.inputs, d.inputs_uri
FROM admin.executions e
JOIN admin.driven_nodes d ON d.execution_id = e.id
LEFT JOIN admin.node_executions n ON n.execution_id = d.execution_id AND n.node_id = d.node_id
WHERE e.lease_session = $1 AND NOT e.ended AND n.ended IS NOT TRUE
ORDER BY d.execution_id, d.created_at;

-- session_aborts
-- What a session leases that users want ended.
SELECT e.execution_project, e.execution_domain, e.execution_name, e.lease_session, e.abort_cause, e.abort_principal
FROM admin.executions e
WHERE e.lease_session = $1 AND NOT e.ended AND e.phase = 'ABORTING';

-- session_signals
-- All signals with a value of what a session leases.
SELECT e.execution_project, e.execution_domain, e.execution_name, e.lease_session, g.signal_id, g.value
FROM admin.executions e
JOIN admin.signals g ON g.execution_id = e.id
WHERE e.lease_session = $1 AND NOT e.ended AND g.value IS NOT NULL;

-- session_children
-- All ended children of what a session leases.
SELECT p.execution_project, p.execution_domain, p.execution_name, p.lease_session, c.parent_node_id,
    c.execution_project AS child_project, c.execution_domain AS child_domain, c.execution_name AS child_name,
    c.phase, c.error, c.output_uri, c.outputs
FROM admin.executions p
JOIN admin.executions c ON c.parent_execution_id = p.id
WHERE p.lease_session = $1 AND NOT p.ended AND c.ended;

-- tell_replicas
-- Wake the other replicas, if engines are attached to any. Never inside a transaction: it takes a database-wide lock.
SELECT pg_notify($1, m) FROM unnest($2::text[]) AS m
WHERE EXISTS (SELECT FROM admin.engine_sessions WHERE replica <> $3);

-- tell_all_replicas
-- Wake all other replicas. Never inside a transaction: it takes a database-wide lock.
SELECT pg_notify($1, m) FROM unnest($2::text[]) AS m;

-- platform_key
-- A secret of the platform; it is made by whoever asks first.
INSERT INTO admin.platform_keys AS k (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = k.value
RETURNING value;

-- find_execution
-- An execution's number.
SELECT id FROM admin.executions
WHERE execution_project = $1 AND execution_domain = $2 AND execution_name = $3;

-- load_nodes
-- A page of recorded nodes.
SELECT node_id, record, inputs, outputs FROM admin.node_executions
WHERE execution_id = $1 AND node_id > $2
ORDER BY node_id
LIMIT $3;

-- load_tasks
-- A page of recorded attempts.
SELECT node_id, retry_attempt, record, added, outputs FROM admin.task_executions
WHERE execution_id = $1 AND (node_id, retry_attempt) > ($2, $3)
ORDER BY node_id, retry_attempt
LIMIT $4;

-- load_elements
-- A page of recorded array elements.
SELECT node_id, element, attempt, record FROM admin.array_elements
WHERE execution_id = $1 AND (node_id, element, attempt) > ($2, $3, $4)
ORDER BY node_id, element, attempt
LIMIT $5;

-- load_driven
-- A page of what drivers added and that has not ended, below nodes that have not.
SELECT d.node_id, d.parent_node_id, d.key, d.closure_uri, d.inputs, d.inputs_uri
FROM admin.driven_nodes d
LEFT JOIN admin.node_executions n ON n.execution_id = d.execution_id AND n.node_id = d.node_id
LEFT JOIN admin.node_executions p ON p.execution_id = d.execution_id AND p.node_id = d.parent_node_id
WHERE d.execution_id = $1 AND d.node_id > $2 AND n.ended IS NOT TRUE AND p.ended IS NOT TRUE
ORDER BY d.node_id
LIMIT $3;
