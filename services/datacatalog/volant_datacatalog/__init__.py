"""The cache of task outputs: datasets, the artifacts in them, the tags that find artifacts, and reservations.

Here belongs what is true of the cache. How a cache key is made of a task and its inputs does not: that is the engine's.
Owns schema `datacatalog`.
"""
