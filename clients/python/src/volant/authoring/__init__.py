"""What users write: tasks, workflows, launch plans, and the graph that a workflow's body is traced into.

Admitted here: entities, promises and nodes, their declaration and checks. Not admitted: wire formats of entities
(`volant.serialization`), running (`volant.local`, `volant.runtime`), talking to a platform (`volant.client`).
"""
