"""Tasks that run elsewhere, through a connector: a service that creates, watches and deletes jobs of some task types.

Here stands what speaks to connectors (Flyte's agent services, we being the client). What a job does is the connector's.
"""
