-- put_attributes
-- Set what exactly this project, domain, workflow and launch plan has.
INSERT INTO admin.attributes (
    resource_type, project, domain, workflow, launch_plan, priority, attributes, created_at, updated_at
)
VALUES ($1, $2, $3, $4, '', $5, $6, $7, $7)
ON CONFLICT (resource_type, project, domain, workflow, launch_plan)
DO UPDATE SET attributes = excluded.attributes, updated_at = excluded.updated_at;

-- lock_attributes
-- What exactly this project, domain and workflow has, to be changed.
SELECT attributes FROM admin.attributes
WHERE resource_type = $1 AND project = $2 AND domain = $3 AND workflow = $4 AND launch_plan = ''
FOR UPDATE;

-- get_attributes
-- What counts for a project, domain and workflow: the most specific row, an empty text being a wildcard.
SELECT project, domain, workflow, attributes FROM admin.attributes
WHERE resource_type = $1 AND project IN ($2, '') AND domain IN ($3, '') AND workflow IN ($4, '') AND launch_plan = ''
ORDER BY priority DESC LIMIT 1;

-- get_project_attributes
-- What a project as a whole has.
SELECT project, domain, workflow, attributes FROM admin.attributes
WHERE resource_type = $1 AND project = $2 AND domain = '' AND workflow = '' AND launch_plan = '';

-- delete_attributes
-- Remove what exactly this project, domain and workflow has.
DELETE FROM admin.attributes
WHERE resource_type = $1 AND project = $2 AND domain = $3 AND workflow = $4 AND launch_plan = '';

-- list_attributes
-- All settings of one kind.
SELECT project, domain, workflow, launch_plan, attributes FROM admin.attributes
WHERE resource_type = $1 ORDER BY priority DESC, id;
