"""flytekitplugins-optuna: an eager task that runs trials."""

import flytekit
import optuna
from flytekitplugins.optuna import Optimizer, suggest


@flytekit.task
async def objective(x: float) -> float:
    return (x - 1) ** 2


@flytekit.eager
async def wf() -> str:
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    optimizer = Optimizer(objective, concurrency=2, n_trials=2, study=study)
    await optimizer(x=suggest.float(low=-10, high=10))
    return "right" if len(study.trials) == 2 and study.best_value >= 0 else "wrong"
