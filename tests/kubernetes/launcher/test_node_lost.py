"""A node that does not answer any more. Only where VOLANT_TEST_NODE_LOST is set: it stops the kubelet for two minutes."""

import asyncio
import os
import subprocess

import pytest
from kubernetes_world import KubernetesWorld, kubectl
from test_failures import SYSTEM, shell, started

from volant_engine.launchers import port

pytestmark = pytest.mark.skipif(not os.environ.get("VOLANT_TEST_NODE_LOST"), reason="VOLANT_TEST_NODE_LOST is not set")


def kubelet(what: str) -> None:
    """Run the command that stops or starts it, such as `kill -STOP $(cat kubelet.pid)`."""
    subprocess.run(os.environ[f"VOLANT_TEST_KUBELET_{what}"], shell=True, check=True)


@pytest.mark.timeout(400)
async def test_a_lost_node(tmp_path):
    world = KubernetesWorld(tmp_path, node_grace_seconds=1, gone_seconds=5.0)
    await world.open()
    try:
        await world.launcher.launch(shell(world, "a", "sleep 600"))
        await started(world, "a")
        await asyncio.to_thread(kubelet, "STOP")
        try:
            update = await world.news.end("a", patience=200)
        finally:
            await asyncio.to_thread(kubelet, "START")
        assert update.phase is port.AttemptPhase.FAILED
        assert update.error is not None
        assert (update.error.kind, update.retryable) == (SYSTEM, True)
        assert update.error.code == "UnexpectedObjectDeletion"
        assert "DeletionByTaintManager" in update.error.message
    finally:
        await world.close()
        await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
