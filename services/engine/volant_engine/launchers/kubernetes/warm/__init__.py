"""Tasks in warm worker pods: a pod that keeps a warm Python and forks one attempt after the other, for an opt-in pool.

What runs there is what the process launcher forks; the zygotes are its own, driven over TCP. Everything else gets a pod
of its own.
"""
