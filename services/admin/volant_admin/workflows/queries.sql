-- insert_workflow
-- A new workflow with its name and description; no row comes back when the version is there already.
WITH workflow AS (
    INSERT INTO admin.workflows (
        project, domain, name, version, typed_interface, closure_uri, digest, short_description, created_at
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (project, domain, name, version) DO NOTHING
    RETURNING id
), entity AS (
    INSERT INTO admin.named_entities (resource_type, project, domain, name, state, created_at, updated_at)
    SELECT 2, $1, $2, $3, $13, $9, $9 FROM workflow
    ON CONFLICT (resource_type, project, domain, name) DO NOTHING
), description AS (
    INSERT INTO admin.description_entities (
        resource_type, project, domain, name, version, short_description, long_description, link, created_at
    )
    SELECT 2, $1, $2, $3, $4, $8, $11, $12, $9 FROM workflow WHERE $10
    ON CONFLICT (resource_type, project, domain, name, version) DO NOTHING
)
SELECT id FROM workflow;

-- get_workflow
-- One workflow.
SELECT id, project, domain, name, version, typed_interface, closure_uri, digest, short_description, created_at
FROM admin.workflows WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4;

-- list_workflows
-- All versions of all workflows in a domain of a project.
SELECT w.id, w.project, w.domain, w.name, w.version, w.typed_interface, w.closure_uri, w.digest, w.short_description,
    w.created_at
FROM admin.workflows w WHERE w.project = $1 AND w.domain = $2;
