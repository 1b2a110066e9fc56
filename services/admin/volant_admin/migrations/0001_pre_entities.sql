-- What can be registered. Names and versions are immutable; a row's id is its order of registration.

CREATE TABLE admin.projects (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    identifier text PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    labels bytea NOT NULL, -- admin.Labels
    state integer NOT NULL, -- admin.Project.ProjectState
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- One row a name, whatever the number of versions: what the ...Ids and NamedEntity methods list.
CREATE TABLE admin.named_entities (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    resource_type integer NOT NULL, -- core.ResourceType
    project text NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    state integer NOT NULL DEFAULT 0, -- admin.NamedEntityState
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (resource_type, project, domain, name)
);

CREATE TABLE admin.tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    closure bytea NOT NULL, -- core.CompiledTask
    digest bytea NOT NULL,
    type text NOT NULL,
    short_description text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (project, domain, name, version)
);
CREATE INDEX tasks_latest ON admin.tasks (project, domain, name, created_at, id);

CREATE TABLE admin.workflows (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    typed_interface bytea NOT NULL, -- core.TypedInterface
    closure_uri text NOT NULL, -- where the admin.WorkflowClosure is
    digest bytea NOT NULL,
    short_description text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (project, domain, name, version)
);
CREATE INDEX workflows_latest ON admin.workflows (project, domain, name, created_at, id);

CREATE TABLE admin.launch_plans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    workflow_id bigint NOT NULL REFERENCES admin.workflows (id),
    spec bytea NOT NULL, -- admin.LaunchPlanSpec
    closure bytea NOT NULL, -- admin.LaunchPlanClosure without state and times, which are columns
    digest bytea NOT NULL,
    state integer NOT NULL, -- admin.LaunchPlanState
    schedule_type text NOT NULL, -- NONE, CRON or RATE
    launch_condition_type text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (project, domain, name, version)
);
CREATE INDEX launch_plans_latest ON admin.launch_plans (project, domain, name, created_at, id);
CREATE INDEX launch_plans_workflow ON admin.launch_plans (workflow_id);
-- At most one active version of a name.
CREATE UNIQUE INDEX launch_plans_active ON admin.launch_plans (project, domain, name) WHERE state = 1;

CREATE TABLE admin.description_entities (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    resource_type integer NOT NULL,
    project text NOT NULL,
    domain text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    short_description text NOT NULL,
    long_description bytea NOT NULL, -- admin.Description
    link text NOT NULL, -- of the source code
    created_at timestamptz NOT NULL,
    PRIMARY KEY (resource_type, project, domain, name, version)
);

-- Matchable attributes. An empty text is a wildcard; the row with the highest priority counts, whole.
CREATE TABLE admin.attributes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_type integer NOT NULL, -- admin.MatchableResource
    project text NOT NULL,
    domain text NOT NULL,
    workflow text NOT NULL,
    launch_plan text NOT NULL,
    priority integer NOT NULL,
    attributes bytea NOT NULL, -- admin.MatchingAttributes
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (resource_type, project, domain, workflow, launch_plan)
);
