-- get_description_entity
-- The description of one version.
SELECT resource_type, project, domain, name, version, short_description, long_description, link
FROM admin.description_entities
WHERE resource_type = $1 AND project = $2 AND domain = $3 AND name = $4 AND version = $5;

-- list_description_entities
-- The descriptions of all versions of a name.
SELECT d.resource_type, d.project, d.domain, d.name, d.version, d.short_description, d.long_description, d.link
FROM admin.description_entities d
WHERE d.resource_type = $1 AND d.project = $2 AND d.domain = $3 AND d.name = $4;
