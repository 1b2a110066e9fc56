-- The schema datacatalog as it is after all migrations, to be read in one piece. A test holds it to that; nothing runs it.

-- Keys are compared by bytes: no sort order of a language is wanted, and it is faster.
CREATE TABLE datasets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    uuid uuid NOT NULL CONSTRAINT datasets_uuid_key UNIQUE,
    metadata bytea NOT NULL,  -- a Metadata message
    partition_keys text[] NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT datasets_key UNIQUE (project, domain, name, version)
);

CREATE INDEX datasets_by_creation ON datasets (created_at, id);

CREATE TABLE artifacts (
    key uuid PRIMARY KEY,
    dataset_id bigint NOT NULL REFERENCES datasets,
    artifact_id text COLLATE "C" NOT NULL,
    metadata bytea NOT NULL,  -- a Metadata message
    -- A LiteralMap with the data by name: here when it is small, else in the blob store.
    data bytea,
    data_uri text,
    partition_keys text[] NOT NULL DEFAULT '{}',
    partition_values text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    written_at timestamptz NOT NULL,
    CONSTRAINT artifacts_key UNIQUE (dataset_id, artifact_id),
    CONSTRAINT artifacts_data CHECK ((data IS NULL) <> (data_uri IS NULL))
);

CREATE INDEX artifacts_by_id ON artifacts (artifact_id);
CREATE INDEX artifacts_by_creation ON artifacts (dataset_id, created_at, key);

-- Small: unpacking would cost more than it saves.
ALTER TABLE artifacts ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE tags (
    dataset_id bigint NOT NULL REFERENCES datasets,
    name text COLLATE "C" NOT NULL,
    artifact_key uuid NOT NULL REFERENCES artifacts,
    artifact_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT tags_key PRIMARY KEY (name, dataset_id)
);

CREATE INDEX tags_by_artifact ON tags (artifact_key);

-- Of keys whose dataset may not be there yet.
CREATE TABLE reservations (
    project text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    dataset_name text COLLATE "C" NOT NULL,
    dataset_version text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    owner_id text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT reservations_key PRIMARY KEY (project, domain, dataset_name, dataset_version, tag)
);
