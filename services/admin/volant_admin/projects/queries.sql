-- insert_project
-- A new project.
INSERT INTO admin.projects (identifier, name, description, labels, state, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6);

-- seed_project
-- A new project, unless it is there.
INSERT INTO admin.projects (identifier, name, description, labels, state, created_at, updated_at)
VALUES ($1, $1, $2, ''::bytea, 0, $3, $3)
ON CONFLICT (identifier) DO NOTHING;

-- update_project
-- Set a project's state, and what else is given: an empty field leaves what is there.
UPDATE admin.projects SET
    name = coalesce(nullif($2, ''), name),
    description = coalesce(nullif($3, ''), description),
    labels = coalesce(nullif($4, ''::bytea), labels),
    state = $5,
    updated_at = $6
WHERE identifier = $1;

-- get_project
-- One project.
SELECT identifier, name, description, labels, state FROM admin.projects WHERE identifier = $1;

-- list_projects
-- All projects.
SELECT p.identifier, p.name, p.description, p.labels, p.state FROM admin.projects p WHERE true;
