"""Tasks that an operator of the cluster runs: from an attempt to its custom resource, from its status to a verdict.

All of it is pure. How objects are made, watched and deleted is the launcher's, the same for pods.
"""
