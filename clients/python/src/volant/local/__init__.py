"""Running on this machine: graphs of nodes in threads, eager bodies, retries, time-outs and the local cache.

Admitted here: what executes entities in this process. Task processes on a platform use `volant.runtime`.
"""
