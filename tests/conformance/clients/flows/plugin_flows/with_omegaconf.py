"""flytekitplugins-omegaconf."""

import flytekitplugins.omegaconf  # noqa: F401 - it registers itself
from flytekit import task, workflow
from omegaconf import DictConfig, OmegaConf


@task
def make(x: int) -> DictConfig:
    return OmegaConf.create({"x": x, "inner": {"names": ["a", "b"]}})


@task
def check(config: DictConfig) -> str:
    return "right" if config.x == 3 and config.inner.names[1] == "b" else "wrong"


@workflow
def wf() -> str:
    return check(config=make(x=3))
