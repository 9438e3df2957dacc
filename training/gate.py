"""May the candidate go into service? A pure decision on two replays of the same held-out conversations.

A refusal needs evidence: a difference that chance explains does not refuse, and what the sample is too small to show is
said. Method: paired bootstrap non-inferiority over conversations, exact McNemar test per intent; see `docs/gate.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from retrieval.errors import BadInput
from training import metrics
from training.config import GateConfig
from training.scores import Case, Scores, commonest_share

Pair = tuple[Case, Case]

ENOUGH_FOR_P99 = 1000


@dataclass(frozen=True)
class Check:
    """`ok` is None for a remark that decides nothing."""

    name: str
    ok: bool | None
    reason: str


@dataclass(frozen=True)
class Verdict:
    checks: tuple[Check, ...]

    @property
    def promote(self) -> bool:
        return all(check.ok is not False for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """One sentence a check, those that refuse first."""
        order = {False: 0, True: 1, None: 2}
        return [check.reason for check in sorted(self.checks, key=lambda check: order[check.ok])]


def decide(candidate: Scores, current: Scores | None, config: GateConfig) -> Verdict:
    """With `current` None only the floors count. BadInput when the two replays share no customer turn."""
    if not candidate.n:
        nothing = "No held-out customer turn was answered by an agent, so nothing can be shown."
        return Verdict((Check("cases", False, nothing),))
    floors = [_floor(candidate, config), _budget(candidate, current, config)]
    if current is None:
        first = Check("first", None, "No bundle is in service yet, so there is nothing to compare with.")
        return Verdict((*floors, first, _size(candidate)))
    pairs = _pair(candidate, current)
    compared = [
        _no_worse(pairs, config),
        *_intents(pairs, config),
        _help(pairs, config),
        _coverage(pairs, config),
        _latency(candidate, current, config),
    ]
    return Verdict((*floors, *compared, _size(candidate)))


def decide_examples(candidate: Mapping[str, Any], *, answers_in_service: int) -> Verdict:
    """The verdict on a bundle that has no answers; `candidate` are its scores on held-out examples (`intents`)."""
    found, blind = float(candidate.get("accuracy", 0.0)), float(candidate.get("commonest", 1.0))
    what = f"{found:.1%} of {candidate.get('n', 0)} held-out examples get the right intent"
    checks = [Check("floor", found > blind, f"{what}; always saying the commonest intent gets {blind:.1%}.")]
    if answers_in_service:
        why = f"The bundle in service knows {answers_in_service} answers and this one none"
        checks.append(Check("answers", False, f"{why}; import the conversations and train again."))
    return Verdict(tuple(checks))


def _pair(candidate: Scores, current: Scores) -> list[Pair]:
    own = {case.key: case for case in current.cases}
    pairs = [(case, own[case.key]) for case in candidate.cases if case.key in own]
    if not pairs:
        raise BadInput("the two replays share no customer turn; replay both bundles on the same conversations")
    return pairs


def _floor(candidate: Scores, config: GateConfig) -> Check:
    found, blind = candidate.recall_at_1 or 0.0, commonest_share(candidate.cases)
    floor = max(config.min_recall_at_1, blind)
    what = f"The first candidate is the right answer in {found:.1%} of {candidate.n} held-out turns"
    if found >= floor:
        return Check("floor", True, f"{what}; the floor is {floor:.1%}.")
    why = f"always giving the commonest answer gets {blind:.1%}" if blind == floor else f"the floor is {floor:.1%}"
    return Check("floor", False, f"{what}; {why}.")


def _budget(candidate: Scores, current: Scores | None, config: GateConfig) -> Check:
    budget, rate = candidate.error_budget, candidate.wrong_rate
    if rate is None:
        silent = "The candidate would have handed every turn to a person: no wrong answer, but no help either."
        return Check("errors", None, silent)
    what = f"{candidate.wrong} of {candidate.answered} answers were wrong ({rate:.1%}); the budget is {budget:.1%}"
    if rate <= budget:
        return Check("errors", True, f"{what}.")
    if _surely_over(candidate, config):
        return Check("errors", False, f"{what}, and chance does not explain the difference.")
    if current is not None and (rise := _rise_of_wrong(_pair(candidate, current), config)) is not None:
        return Check("errors", False, f"{what}, and wrong answers rose by {100 * rise:.1f} in 100 turns.")
    return Check("errors", True, f"{what}: over it by no more than chance explains at this number.")


def _surely_over(candidate: Scores, config: GateConfig) -> bool:
    """Is the whole one-sided 95% bootstrap interval of the error rate above the budget?"""
    names = [case.conversation for case in candidate.cases]
    wrong, sent = [case.wrong for case in candidate.cases], [case.sent is not None for case in candidate.cases]
    drawn = metrics.bootstrap(names, wrong, sent, seed=config.seed)
    return bool(drawn.size and np.quantile(drawn, 0.05) > candidate.error_budget)


def _rise_of_wrong(pairs: Sequence[Pair], config: GateConfig) -> float | None:
    """How much the share of turns with a wrong answer rose, None unless the rise is significant (one-sided 5%)."""
    rise = [float(new.wrong) - float(old.wrong) for new, old in pairs]
    low = float(np.quantile(_draw(pairs, rise, config), 0.05))
    return float(np.mean(rise)) if low > 0 else None


def _no_worse(pairs: Sequence[Pair], config: GateConfig) -> Check:
    change = [float(new.rank == 1) - float(old.rank == 1) for new, old in pairs]
    drawn = _draw(pairs, change, config)
    low, margin = 100 * float(np.quantile(drawn, 0.05)), _margin(len(pairs), config)
    points = 100 * float(np.mean(change))
    what = f"The first candidate is right {_signed(points)} the bundle in service (one-sided 95%: at worst {low:+.1f})"
    if low >= -margin:
        return Check("no worse", True, f"{what}; down to {-margin:.1f} is tolerated at {len(pairs)} turns.")
    return Check("no worse", False, f"{what}, beyond the {-margin:.1f} that are tolerated at {len(pairs)} turns.")


def _margin(n: int, config: GateConfig) -> float:
    """Points of loss that are tolerated: 1.5 at 1,000 cases, half of it at 4,000, because noise shrinks like that."""
    return min(config.max_loss_points * float(np.sqrt(1000 / n)), 10.0)


def _intents(pairs: Sequence[Pair], config: GateConfig) -> list[Check]:
    grouped: dict[str, list[Pair]] = defaultdict(list)
    for new, old in pairs:
        grouped[new.intent].append((new, old))
    judged = {name: own for name, own in grouped.items() if len(own) >= config.intent_min_cases}
    dropped = [check for name, own in sorted(judged.items()) if (check := _intent(name, own, config))]
    if any(check.ok is False for check in dropped):
        return dropped
    held = f"No kind of request lost more than {config.intent_max_drop_points:.0f} points beyond chance"
    seen = f"{len(judged)} of {len(grouped)} kinds have the {config.intent_min_cases} cases to be judged"
    return [*dropped, Check("intents", True, f"{held}; {seen}.")]


def _intent(name: str, pairs: Sequence[Pair], config: GateConfig) -> Check | None:
    before, after = sum(old.rank == 1 for _, old in pairs), sum(new.rank == 1 for new, _ in pairs)
    if 100 * (before - after) / len(pairs) <= config.intent_max_drop_points:
        return None
    lost = sum(old.rank == 1 and new.rank != 1 for new, old in pairs)
    won = sum(old.rank != 1 and new.rank == 1 for new, old in pairs)
    p = float(binomtest(lost, lost + won).pvalue)
    what = f"{name!r}: {before} of {len(pairs)} right before, {after} now (p = {p:.3f})"
    if p <= 0.05:
        return Check("intents", False, f"{what}: this kind of request got worse.")
    return Check("intents", None, f"{what}: worse, but chance may explain it; look at these requests.")


def _help(pairs: Sequence[Pair], config: GateConfig) -> Check:
    """Turns that the bot itself answers rightly, with the thresholds that ship: what customers get out of it."""
    change = [float(new.helps) - float(old.helps) for new, old in pairs]
    points = 100 * float(np.mean(change))
    what = f"The share of turns that the bot answers rightly by itself changes by {points:+.1f} points"
    if points >= -config.coverage_max_drop_points:
        return Check("help", True, f"{what}.")
    if float(np.quantile(_draw(pairs, change, config), 0.95)) < 0:
        return Check("help", False, f"{what}: beyond the {-config.coverage_max_drop_points:.1f} and beyond chance.")
    return Check("help", True, f"{what}: no more than chance explains at this number.")


def _coverage(pairs: Sequence[Pair], config: GateConfig) -> Check:
    def change(rows: Sequence[Pair]) -> float:
        shares = [_coverage_at_2(side) for side in zip(*rows, strict=True)]
        return 100 * (shares[0] - shares[1])

    points = change(pairs)
    what = f"At 2 wrong answers in 100, the share of turns that can be answered changes by {points:+.1f} points"
    if points >= -config.coverage_max_drop_points:
        return Check("coverage", True, f"{what}.")
    grouped: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        grouped[pair[0].conversation].append(pair)
    groups, rng = list(grouped.values()), np.random.default_rng(config.seed)
    drawn = [change([p for i in rng.integers(0, len(groups), len(groups)) for p in groups[i]]) for _ in range(300)]
    if float(np.quantile(drawn, 0.95)) < 0:
        return Check("coverage", False, f"{what}: beyond the {-config.coverage_max_drop_points:.1f} and beyond chance.")
    return Check("coverage", True, f"{what}: no more than chance explains at this number.")


def _coverage_at_2(cases: Sequence[Case]) -> float:
    confidence, right = [case.p_correct for case in cases], [case.rank == 1 for case in cases]
    return metrics.coverage_at_error(confidence, right, error=0.02) or 0.0


def _latency(candidate: Scores, current: Scores, config: GateConfig) -> Check:
    """The slowest hundredth, or the median where a hundredth is a few turns: those say more of the machine's mood."""
    few = min(candidate.n, current.n) < ENOUGH_FOR_P99
    new, old = (scores.p50_ms if few else scores.p99_ms for scores in (candidate, current))
    if new is None or old is None:
        return Check("latency", None, "Times were not measured, so speed is not judged.")
    what = f"{'Half of the' if few else '99 of 100'} turns take up to {new:.0f} ms, {old:.0f} ms before"
    if new <= max(config.max_p99_factor * old, old + config.p99_grace_ms):
        return Check("latency", True, f"{what}.")
    return Check("latency", False, f"{what}: more than {config.max_p99_factor:.1f} times as long.")


def _size(candidate: Scores) -> Check:
    """At 8% disagreement of two bundles the standard error of a difference is sqrt(.08 / n): 0.9 points at 1,000."""
    unseen = 100 * 1.645 * float(np.sqrt(0.08 / candidate.n))
    what = f"{candidate.n} held-out turns cannot show a change below about {unseen:.1f} points"
    return Check("size", None, f"{what}; more conversations would." if candidate.n < 1000 else f"{what}.")


def _draw(pairs: Sequence[Pair], values: Sequence[float], config: GateConfig) -> metrics.Floats:
    return metrics.bootstrap([new.conversation for new, _ in pairs], values, seed=config.seed)


def _signed(points: float) -> str:
    if abs(points) < 0.05:
        return "as often as in"
    return f"{abs(points):.1f} points {'more' if points > 0 else 'less'} often than in"
