-- get_workflow_interface
-- What a launch plan needs to know of its workflow.
SELECT id, typed_interface FROM admin.workflows WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4;

-- insert_launch_plan
-- A new launch plan, inactive, with its name; no row comes back when the version is there already.
WITH launch_plan AS (
    INSERT INTO admin.launch_plans (
        project, domain, name, version, workflow_id, spec, closure, digest, state, schedule_type, launch_condition_type,
        created_at, updated_at
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $11)
    ON CONFLICT (project, domain, name, version) DO NOTHING
    RETURNING id
), entity AS (
    INSERT INTO admin.named_entities (resource_type, project, domain, name, state, created_at, updated_at)
    SELECT 3, $1, $2, $3, $12, $11, $11 FROM launch_plan
    ON CONFLICT (resource_type, project, domain, name) DO NOTHING
)
SELECT id FROM launch_plan;

-- get_launch_plan
-- One launch plan.
SELECT project, domain, name, version, spec, closure, digest, state, created_at, updated_at FROM admin.launch_plans
WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4;

-- get_launch_plans
-- Many launch plans.
SELECT l.project, l.domain, l.name, l.version, l.spec, l.closure, l.digest, l.state, l.created_at, l.updated_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (project, domain, name, version)
JOIN admin.launch_plans l USING (project, domain, name, version);

-- get_active_launch_plan
-- The active version of a name.
SELECT project, domain, name, version, spec, closure, digest, state, created_at, updated_at FROM admin.launch_plans
WHERE project = $1 AND domain = $2 AND name = $3 AND state = 1;

-- list_launch_plans
-- All versions of all launch plans in a domain of a project.
SELECT l.project, l.domain, l.name, l.version, l.spec, l.closure, l.digest, l.state, l.created_at, l.updated_at
FROM admin.launch_plans l WHERE l.project = $1 AND l.domain = $2;

-- list_active_launch_plans
-- The active versions of all launch plans in a domain of a project.
SELECT l.project, l.domain, l.name, l.version, l.spec, l.closure, l.digest, l.state, l.created_at, l.updated_at
FROM admin.launch_plans l WHERE l.project = $1 AND l.domain = $2 AND l.state = 1;

-- lock_name
-- Let one at a time change which version of a launch plan is active.
SELECT id FROM admin.named_entities
WHERE resource_type = 3 AND project = $1 AND domain = $2 AND name = $3 FOR UPDATE;

-- deactivate_others
-- Make other versions of a name inactive.
UPDATE admin.launch_plans SET state = 0, updated_at = $5
WHERE project = $1 AND domain = $2 AND name = $3 AND version <> $4 AND state = 1;

-- set_state
-- Make a version active or inactive.
UPDATE admin.launch_plans SET state = $5, updated_at = $6
WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4;
