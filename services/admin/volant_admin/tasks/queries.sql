-- insert_task
-- A new task with its name and description; no row comes back when the version is there already.
WITH task AS (
    INSERT INTO admin.tasks (project, domain, name, version, closure, digest, type, short_description, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (project, domain, name, version) DO NOTHING
    RETURNING id
), entity AS (
    INSERT INTO admin.named_entities (resource_type, project, domain, name, created_at, updated_at)
    SELECT 1, $1, $2, $3, $9, $9 FROM task
    ON CONFLICT (resource_type, project, domain, name) DO NOTHING
), description AS (
    INSERT INTO admin.description_entities (
        resource_type, project, domain, name, version, short_description, long_description, link, created_at
    )
    SELECT 1, $1, $2, $3, $4, $8, $11, $12, $9 FROM task WHERE $10
    ON CONFLICT (resource_type, project, domain, name, version) DO NOTHING
)
SELECT id FROM task;

-- get_task
-- One task.
SELECT id, project, domain, name, version, closure, short_description, created_at FROM admin.tasks
WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4;

-- get_tasks
-- Many tasks.
SELECT t.closure FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (project, domain, name, version)
JOIN admin.tasks t USING (project, domain, name, version);

-- list_tasks
-- All versions of all tasks in a domain of a project.
SELECT t.id, t.project, t.domain, t.name, t.version, t.closure, t.short_description, t.created_at FROM admin.tasks t
WHERE t.project = $1 AND t.domain = $2;
