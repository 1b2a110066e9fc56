-- The schema admin as it is after all migrations, to be read in one piece. A test holds it to that; nothing runs it.

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

-- What runs. A row holds in columns what lists filter and sort by; the rest is kept as the engine told it, in bytes.
-- `ended` is true in a terminal phase, from which nothing leads back.

-- Times travel as microseconds since 1970, in arrays.
CREATE FUNCTION admin.moment(micros bigint) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN 'epoch'::timestamptz + micros * interval '1 microsecond';

-- One start of an engine. Its leases are the executions that name it; a heartbeat renews them all by this one row.
CREATE TABLE admin.engine_sessions (
    session text PRIMARY KEY,
    engine text NOT NULL,
    replica text NOT NULL, -- the admin replica that its Attach stream goes to
    attached_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE admin.executions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_project text NOT NULL,
    execution_domain text NOT NULL,
    execution_name text NOT NULL,
    phase text NOT NULL,
    ended boolean NOT NULL DEFAULT false,
    execution_created_at timestamptz NOT NULL,
    execution_updated_at timestamptz NOT NULL,
    started_at timestamptz,
    duration interval,
    mode integer NOT NULL,
    launch_plan_id bigint NOT NULL,
    workflow_id bigint NOT NULL,
    task_id bigint NOT NULL, -- 0 unless a single task was launched
    launch_entity text NOT NULL, -- launch_plan or task
    source_execution_id bigint NOT NULL, -- the parent, or what it was relaunched or recovered from; else 0
    parent_execution_id bigint, -- the execution whose node launched it
    parent_node_id text,
    cluster text NOT NULL DEFAULT '',
    "user" text NOT NULL,
    state integer NOT NULL DEFAULT 0, -- admin.ExecutionState
    state_changed_at timestamptz,
    state_changed_by text,
    abort_cause text,
    abort_principal text,
    error_kind text,
    error_code text,
    error bytea, -- core.ExecutionError
    output_uri text,
    outputs bytea, -- core.LiteralMap, where small
    inputs_uri text,
    inputs bytea, -- core.LiteralMap, where small
    user_inputs_uri text,
    user_inputs bytea, -- core.LiteralMap, where small
    head bytea NOT NULL, -- admin.Execution: id, spec, and what of the closure never changes
    effective_spec bytea NOT NULL, -- admin.ExecutionSpec with every default merged in, for the engine
    closure_uri text NOT NULL, -- of the workflow
    workflow bytea NOT NULL, -- core.Identifier
    lease_session text, -- of admin.engine_sessions; kept when it ended, so that a report can be repeated
    lease_epoch bigint NOT NULL DEFAULT 0,
    UNIQUE (execution_project, execution_domain, execution_name)
) WITH (fillfactor = 80);
CREATE INDEX executions_created ON admin.executions (execution_project, execution_domain, execution_created_at);
CREATE INDEX executions_leases ON admin.executions (lease_session, id) WHERE NOT ended;
CREATE INDEX executions_active ON admin.executions (launch_plan_id) WHERE NOT ended;
CREATE INDEX executions_children ON admin.executions (parent_execution_id) WHERE parent_execution_id IS NOT NULL;

-- Labels and tags, for filters.
CREATE TABLE admin.execution_tags (
    execution_id bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (execution_id, key, value)
);
CREATE INDEX execution_tags_key ON admin.execution_tags (key, value);

-- The tables below have no foreign key to executions: rows are written only beside a locked row of it, thousands a second.

CREATE TABLE admin.node_executions (
    execution_id bigint NOT NULL,
    node_id text NOT NULL,
    phase text NOT NULL,
    ended boolean NOT NULL,
    parent_node_id text,
    parent_task_attempt bigint, -- the task execution of the parent node that launched it; told by Flyte's events only
    node_execution_created_at timestamptz NOT NULL,
    node_execution_updated_at timestamptz NOT NULL,
    started_at timestamptz,
    duration interval,
    error_kind text,
    error_code text,
    cache_status text,
    input_uri text NOT NULL,
    record bytea NOT NULL, -- dispatch.NodeRecord without inputs and outputs
    inputs bytea, -- core.LiteralMap, where the engine made it itself and it is small
    outputs bytea,
    PRIMARY KEY (execution_id, node_id)
) WITH (fillfactor = 80);
CREATE INDEX node_executions_children ON admin.node_executions (execution_id, parent_node_id);

CREATE TABLE admin.task_executions (
    execution_id bigint NOT NULL,
    node_id text NOT NULL,
    retry_attempt bigint NOT NULL,
    project text NOT NULL, -- of the task
    domain text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    phase text NOT NULL,
    phase_version bigint NOT NULL,
    ended boolean NOT NULL,
    task_execution_created_at timestamptz NOT NULL,
    task_execution_updated_at timestamptz NOT NULL,
    started_at timestamptz,
    duration interval,
    input_uri text NOT NULL,
    record bytea NOT NULL, -- dispatch.TaskRecord without outputs, logs and reasons
    added bytea NOT NULL, -- dispatch.TaskRecord with logs and reasons only: those of every report, one after another
    outputs bytea,
    PRIMARY KEY (execution_id, node_id, retry_attempt)
) WITH (fillfactor = 80);

-- Elements of map tasks: shown as the external resources of their task execution.
CREATE TABLE admin.array_elements (
    execution_id bigint NOT NULL,
    node_id text NOT NULL,
    element bigint NOT NULL,
    attempt bigint NOT NULL,
    phase integer NOT NULL, -- core.TaskExecution.Phase
    ended boolean NOT NULL,
    record bytea NOT NULL, -- dispatch.ArrayElement without its key
    PRIMARY KEY (execution_id, node_id, element, attempt)
) WITH (fillfactor = 80);

CREATE TABLE admin.signals (
    execution_id bigint NOT NULL,
    signal_id text NOT NULL,
    type bytea NOT NULL, -- core.LiteralType
    value bytea, -- core.Literal
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (execution_id, signal_id)
);

-- What drivers (attempts of eager tasks) have added to executions: nodes below their own. No foreign key, as for all that
-- belongs to an execution.
CREATE TABLE admin.driven_nodes (
    execution_id bigint NOT NULL,
    node_id text NOT NULL,
    parent_node_id text NOT NULL, -- the driver's
    key text NOT NULL, -- what the driver calls it
    closure_uri text NOT NULL, -- of a workflow whose only node is what it runs
    inputs bytea, -- core.LiteralMap, where small
    inputs_uri text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (execution_id, node_id)
);

-- Secrets of the platform itself, made once: "drivers" is what the tokens of drivers are made with.
CREATE TABLE admin.platform_keys (
    name text PRIMARY KEY,
    value bytea NOT NULL
);
