"""Launch plans: immutable ways to start a workflow, with inputs, a schedule and settings; one version may be active."""
