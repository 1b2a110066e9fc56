-- insert_dataset
-- A new dataset.
INSERT INTO datacatalog.datasets (project, domain, name, version, uuid, metadata, partition_keys, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- get_dataset
-- One dataset; by its UUID as well, if one is given.
SELECT id, project, domain, name, version, uuid, metadata, partition_keys FROM datacatalog.datasets
WHERE project = $1 AND domain = $2 AND name = $3 AND version = $4 AND ($5::uuid IS NULL OR uuid = $5);

-- ensure_datasets
-- The ids of datasets, made when they are not there. A row that is there is touched so that it comes back.
INSERT INTO datacatalog.datasets (project, domain, name, version, uuid, metadata, partition_keys, created_at)
SELECT k.project, k.domain, k.name, k.version, k.uuid, '', '{}', $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[]) AS k (project, domain, name, version, uuid)
ON CONFLICT (project, domain, name, version) DO UPDATE SET project = excluded.project
RETURNING id, project, domain, name, version;

-- list_newest_first
-- Datasets that all filters hold for, the newest first.
SELECT project, domain, name, version, uuid, metadata, partition_keys FROM datacatalog.datasets
WHERE project = ALL($1::text[]) AND domain = ALL($2::text[]) AND name = ALL($3::text[]) AND version = ALL($4::text[])
ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6;

-- list_oldest_first
-- Datasets that all filters hold for, the oldest first.
SELECT project, domain, name, version, uuid, metadata, partition_keys FROM datacatalog.datasets
WHERE project = ALL($1::text[]) AND domain = ALL($2::text[]) AND name = ALL($3::text[]) AND version = ALL($4::text[])
ORDER BY created_at, id LIMIT $5 OFFSET $6;
