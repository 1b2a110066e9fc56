"""Stock flytekit registers and fetches against our servicers."""

import asyncio
import sys
from pathlib import Path


async def test_flytekit_registers_and_fetches(address, tmp_path):
    script = Path(__file__).with_name("flytekit_client.py")
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    output, _ = await asyncio.wait_for(client.communicate(), 60)
    assert client.returncode == 0, output.decode()
