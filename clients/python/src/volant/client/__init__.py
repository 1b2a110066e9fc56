"""Talking to a platform: registering, starting and watching executions, fetching what they made.

The only part of the SDK that imports grpc, and only when a platform is really called.
"""
