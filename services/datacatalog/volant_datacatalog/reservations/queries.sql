-- take
-- Each key's reservation for its claimant where it is free, expired or the claimant's; then who holds it, in any case.
-- A holder who came between the statement's start and its end is seen by nobody: no row comes back, ask again.
WITH claims AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        AS c (project, domain, dataset_name, dataset_version, tag, owner_id, expires_at)
), taken AS (
    INSERT INTO datacatalog.reservations AS r (
        project, domain, dataset_name, dataset_version, tag, owner_id, expires_at
    )
    SELECT project, domain, dataset_name, dataset_version, tag, owner_id, expires_at FROM claims
    ORDER BY project, domain, dataset_name, dataset_version, tag
    ON CONFLICT (project, domain, dataset_name, dataset_version, tag) DO UPDATE
    SET owner_id = excluded.owner_id, expires_at = excluded.expires_at
    WHERE r.expires_at <= $8 OR r.owner_id = excluded.owner_id
    RETURNING r.project, r.domain, r.dataset_name, r.dataset_version, r.tag, r.owner_id, r.expires_at
)
SELECT * FROM taken
UNION ALL
SELECT r.project, r.domain, r.dataset_name, r.dataset_version, r.tag, r.owner_id, r.expires_at
FROM claims c JOIN datacatalog.reservations r USING (project, domain, dataset_name, dataset_version, tag)
WHERE NOT EXISTS (
    SELECT FROM taken t
    WHERE t.project = c.project AND t.domain = c.domain AND t.dataset_name = c.dataset_name
        AND t.dataset_version = c.dataset_version AND t.tag = c.tag
);

-- release
-- Removes the reservations that are held by who gives them back.
DELETE FROM datacatalog.reservations r
USING unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS g (project, domain, dataset_name, dataset_version, tag, owner_id)
WHERE r.project = g.project AND r.domain = g.domain AND r.dataset_name = g.dataset_name
    AND r.dataset_version = g.dataset_version AND r.tag = g.tag AND r.owner_id = g.owner_id;

-- sweep
-- Removes what expired and was never given back nor taken over.
DELETE FROM datacatalog.reservations WHERE expires_at < $1;
