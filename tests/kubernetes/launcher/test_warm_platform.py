"""Stock flytekit's nodes of every kind in warm workers."""

import uuid

from platform_process import PHASES, PlatformProcess
from test_platform import output


def test_every_kind_of_node_in_warm_workers(tmp_path):
    platform = PlatformProcess(tmp_path, f"kube-a-{uuid.uuid4().hex[:6]}", VOLANT_KUBERNETES__WARM_PODS="3")
    platform.start()
    try:
        platform.wait_ready()
        name = platform.run("every", "--x", "3")
        found = platform.wait(name, 600)
        assert found.closure.phase == PHASES.SUCCEEDED, found.closure.error
        assert output(platform, name) == 12 + 12 + 2 + 7 + 6
        assert platform.pods(name) == []
    finally:
        platform.stop()
