"""What every service needs and no service's nouns.

Here: errors, the clock, settings, telemetry, the model (identifiers, phases, names), the compiler, PostgreSQL, the blob
store port, gRPC plumbing. Not here: anything that knows what an execution's lifecycle or a cached artifact is.
"""
