"""Attempts as pods.

What a pod is and what its state means is pure (`pod_spec`, `pod_status`); `cluster` alone speaks to the API server, and
alone imports kubernetes_asyncio. No scheduling decisions, no retries of attempts.
"""
