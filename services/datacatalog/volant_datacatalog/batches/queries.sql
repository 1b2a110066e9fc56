-- look_up
-- What many tags find.
SELECT k.position, a.artifact_id, a.metadata, a.data, a.data_uri, a.written_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS k (project, domain, name, version, tag, position)
JOIN datacatalog.datasets d USING (project, domain, name, version)
JOIN datacatalog.tags t ON t.dataset_id = d.id AND t.name = k.tag
JOIN datacatalog.artifacts a ON a.key = t.artifact_key;

-- put
-- Artifacts under tags: new ones, or other data for those that a tag finds already and that are to be overwritten.
WITH given AS (
    SELECT *
    FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::bytea[], $5::text[], $6::bytea[], $7::boolean[])
        AS g (dataset_id, tag, key, data, data_uri, metadata, overwrite)
), tagged AS (
    INSERT INTO datacatalog.tags AS t (dataset_id, name, artifact_key, artifact_id, created_at)
    SELECT dataset_id, tag, key, key::text, $8 FROM given ORDER BY dataset_id, tag
    -- Changes nothing: the row that is there comes back, and stays as it is until this is done.
    ON CONFLICT (dataset_id, name) DO UPDATE SET name = excluded.name
    RETURNING t.dataset_id, t.name AS tag, t.artifact_key, t.artifact_id
), targets AS (
    SELECT g.*, t.artifact_key, t.artifact_id, t.artifact_key = g.key AS fresh
    FROM given g JOIN tagged t USING (dataset_id, tag)
), created AS (
    INSERT INTO datacatalog.artifacts (
        key, dataset_id, artifact_id, metadata, data, data_uri, created_at, written_at
    )
    SELECT key, dataset_id, artifact_id, metadata, data, data_uri, $8, $8 FROM targets WHERE fresh
), before AS (
    SELECT a.key, a.data_uri FROM targets g JOIN datacatalog.artifacts a ON a.key = g.artifact_key
    WHERE g.overwrite AND NOT g.fresh
), replaced AS (
    UPDATE datacatalog.artifacts a
    SET metadata = g.metadata, data = g.data, data_uri = g.data_uri, written_at = $8
    FROM targets g
    WHERE a.key = g.artifact_key AND g.overwrite AND NOT g.fresh
    RETURNING a.key
)
SELECT
    g.dataset_id, g.tag, g.artifact_id, g.fresh, r.key IS NOT NULL AS replaced,
    CASE WHEN b.data_uri IS DISTINCT FROM g.data_uri THEN b.data_uri END AS dropped_uri
FROM targets g
LEFT JOIN replaced r ON r.key = g.artifact_key
LEFT JOIN before b ON b.key = g.artifact_key;
