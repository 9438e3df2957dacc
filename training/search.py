"""Search for the numbers of the recipe that only a desk's own data can tell: what the turns before a message count.

A trial fits the answer model on the older rows of each forward-chaining round and judges the newer ones, as training
itself does; optuna's TPE proposes, and a trial that is behind the median of the others after a round is pruned. Vectors
are encoded once for all trials, so a trial costs only the fit. The exam is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.answers import compose
from retrieval.types import Matrix
from training.cluster import Labels
from training.config import ContextConfig, TrainingConfig
from training.heads import validate_answers
from training.split import forward
from training.stages import Report, silent

SPACE = {"desk": (0.0, 1.5), "customer": (0.0, 1.0)}


@dataclass(frozen=True)
class Found:
    """The best recipe, and how often the first answer was right with it and with the recipe as it was."""

    config: TrainingConfig
    right: float
    before: float
    pruned: int


def search(
    config: TrainingConfig,
    parts: tuple[Matrix, Matrix, Matrix],
    answer_of: Labels,
    *,
    keys: Matrix,
    trials: int,
    cuts: Sequence[tuple[int, int]],
    progress: Report = silent,
) -> Found:
    """`parts` are the encoded messages, desk turns and customer turns (n, d) each, `keys` the replies, by time.

    The first trial is the recipe as it is, so that the best is never behind it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    answers = int(answer_of.max()) + 1

    def judge(trial: optuna.Trial) -> float:
        weights = [config.context.message, *(trial.suggest_float(name, *SPACE[name]) for name in SPACE)]
        queries = compose(*parts, weights)
        right = np.zeros(0, bool)
        for step, cut in enumerate(cuts):
            seen = validate_answers(queries, answer_of, answers, keys=keys, parts=forward([cut]), seed=config.seed)
            right = np.append(right, seen.right[:, 0])
            trial.report(float(right.mean()), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(right.mean())

    pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=config.seed), pruner=pruner
    )
    study.enqueue_trial({name: min(high, getattr(config.context, name)) for name, (_, high) in SPACE.items()})
    for done in range(trials):
        study.optimize(judge, n_trials=1)
        progress("search", done + 1, trials, f"right at first {study.best_value:.1%}")
    best = {name: round(value, 2) for name, value in study.best_params.items()}
    context = ContextConfig(message=config.context.message, **best)
    pruned = sum(trial.state is optuna.trial.TrialState.PRUNED for trial in study.trials)
    before = float(study.trials[0].value or 0.0)
    return Found(config.model_copy(update={"context": context}), float(study.best_value), before, pruned)
