-- get_named_entity
-- One name.
SELECT resource_type, project, domain, name, description, state FROM admin.named_entities
WHERE resource_type = $1 AND project = $2 AND domain = $3 AND name = $4;

-- update_named_entity
-- Replace a name's state, and its description unless none is given.
UPDATE admin.named_entities SET description = coalesce(nullif($5::text, ''), description), state = $6, updated_at = $7
WHERE resource_type = $1 AND project = $2 AND domain = $3 AND name = $4;

-- list_named_entities
-- Names of one kind in a domain of a project.
SELECT n.resource_type, n.project, n.domain, n.name, n.description, n.state FROM admin.named_entities n
WHERE n.resource_type = $1 AND n.project = $2 AND n.domain = $3;
