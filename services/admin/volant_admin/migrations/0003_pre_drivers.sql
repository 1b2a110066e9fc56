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
