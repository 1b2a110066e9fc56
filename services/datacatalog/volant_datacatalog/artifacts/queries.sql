-- insert_artifact
-- A new artifact of a dataset.
INSERT INTO datacatalog.artifacts (
    key, dataset_id, artifact_id, metadata, data, data_uri, partition_keys, partition_values, created_at, written_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9);

-- get_by_id
-- The newest artifact with an id: of one dataset, or ($2 empty) of any.
SELECT
    a.key, a.artifact_id, a.metadata, a.data, a.data_uri, a.partition_keys, a.partition_values, a.created_at,
    d.project, d.domain, d.name, d.version, d.uuid,
    ARRAY(SELECT t.name FROM datacatalog.tags t WHERE t.artifact_key = a.key ORDER BY t.created_at, t.name) AS tags
FROM datacatalog.artifacts a JOIN datacatalog.datasets d ON d.id = a.dataset_id
WHERE a.artifact_id = $1
    AND ($2 = '' OR (d.project = $2 AND d.domain = $3 AND d.name = $4 AND d.version = $5))
ORDER BY a.created_at DESC LIMIT 1;

-- get_by_tag
-- The artifact that a tag of a dataset finds.
SELECT
    a.key, a.artifact_id, a.metadata, a.data, a.data_uri, a.partition_keys, a.partition_values, a.created_at,
    d.project, d.domain, d.name, d.version, d.uuid,
    ARRAY(SELECT o.name FROM datacatalog.tags o WHERE o.artifact_key = a.key ORDER BY o.created_at, o.name) AS tags
FROM datacatalog.datasets d
JOIN datacatalog.tags t ON t.dataset_id = d.id
JOIN datacatalog.artifacts a ON a.key = t.artifact_key
WHERE d.project = $1 AND d.domain = $2 AND d.name = $3 AND d.version = $4 AND t.name = $5;

-- replace_data
-- Other data and metadata for an artifact.
UPDATE datacatalog.artifacts SET metadata = $2, data = $3, data_uri = $4, written_at = $5 WHERE key = $1;

-- insert_tag
-- A new tag for an artifact of the same dataset.
INSERT INTO datacatalog.tags (dataset_id, name, artifact_key, artifact_id, created_at)
SELECT a.dataset_id, $3, a.key, a.artifact_id, $4 FROM datacatalog.artifacts a
WHERE a.dataset_id = $1 AND a.artifact_id = $2;

-- list_newest_first
-- Artifacts of a dataset that all filters hold for, the newest first.
SELECT
    a.key, a.artifact_id, a.metadata, a.data, a.data_uri, a.partition_keys, a.partition_values, a.created_at,
    ARRAY(SELECT t.name FROM datacatalog.tags t WHERE t.artifact_key = a.key ORDER BY t.created_at, t.name) AS tags
FROM datacatalog.artifacts a
WHERE a.dataset_id = $1 AND a.artifact_id = ALL($2::text[])
    AND NOT EXISTS (
        SELECT FROM unnest($3::text[]) AS f (name)
        WHERE NOT EXISTS (SELECT FROM datacatalog.tags t WHERE t.artifact_key = a.key AND t.name = f.name)
    )
    AND NOT EXISTS (
        SELECT FROM unnest($4::text[], $5::text[]) AS f (key, value)
        WHERE NOT EXISTS (
            SELECT FROM unnest(a.partition_keys, a.partition_values) AS p (key, value)
            WHERE p.key = f.key AND p.value = f.value
        )
    )
ORDER BY a.created_at DESC, a.key DESC LIMIT $6 OFFSET $7;

-- list_oldest_first
-- Artifacts of a dataset that all filters hold for, the oldest first.
SELECT
    a.key, a.artifact_id, a.metadata, a.data, a.data_uri, a.partition_keys, a.partition_values, a.created_at,
    ARRAY(SELECT t.name FROM datacatalog.tags t WHERE t.artifact_key = a.key ORDER BY t.created_at, t.name) AS tags
FROM datacatalog.artifacts a
WHERE a.dataset_id = $1 AND a.artifact_id = ALL($2::text[])
    AND NOT EXISTS (
        SELECT FROM unnest($3::text[]) AS f (name)
        WHERE NOT EXISTS (SELECT FROM datacatalog.tags t WHERE t.artifact_key = a.key AND t.name = f.name)
    )
    AND NOT EXISTS (
        SELECT FROM unnest($4::text[], $5::text[]) AS f (key, value)
        WHERE NOT EXISTS (
            SELECT FROM unnest(a.partition_keys, a.partition_values) AS p (key, value)
            WHERE p.key = f.key AND p.value = f.value
        )
    )
ORDER BY a.created_at, a.key LIMIT $6 OFFSET $7;
