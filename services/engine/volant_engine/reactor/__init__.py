"""Makes decisions true: sessions with admin, one sequential worker for each execution, effects, reports.

Here lives everything that waits. What happens next in an execution is `decide`'s; how attempts run is a launcher's.
"""
