"""`report.md` of a bundle, for readers who never trained a model. The same scores give the same text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

import numpy as np

from training import metrics
from training.gate import Verdict
from training.groups import Group
from training.kinds import section
from training.scores import Case, IntentRow, Scores, by_intent

EXAMPLES = 10
INTENTS = 30
ENOUGH = 20


def report(
    scores: Scores,
    *,
    facts: Sequence[str] = (),
    verdict: Verdict | None = None,
    dialogue: Collection[str] = (),
    groups: Sequence[Group] = (),
) -> str:
    """Markdown. `facts` are sentences about the training (how many conversations, which encoder); `dialogue` are the
    intents that the dialogue's own rules and small talk deal with, so that nobody has to write an answer for them;
    `groups` are the kinds of request that were found."""
    parts = [
        [f"# What bundle {scores.bundle} would do", *(f"- {fact}" for fact in facts)],
        _in_short(scores),
        _promise(scores),
        _verdict(verdict),
        _by_intent(by_intent(scores.cases)),
        section(groups, cell),
        _wrong_answers(scores.cases),
        _next_steps(scores, dialogue),
        _words(scores),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _in_short(scores: Scores) -> list[str]:
    if not scores.n:
        return ["No held-out customer turn was answered by an agent, so nothing could be measured."]
    talks = len({case.conversation for case in scores.cases})
    right, handed = scores.answered - scores.wrong, scores.n - scores.answered
    lines = [
        "## In short",
        f"We replayed {_count(scores.n, 'customer message')} from {_count(talks, 'later conversation')} that the bot "
        "had never seen. A person had answered each of them, so we can compare.",
        "",
        "| of these messages the bot would have | messages | share | likely between |",
        "| --- | ---: | ---: | --- |",
        _outcome("answered, rightly", scores, [case.helps for case in scores.cases], right),
        _outcome("answered, wrongly", scores, [case.wrong for case in scores.cases], scores.wrong),
        _outcome("handed to a person", scores, [case.sent is None for case in scores.cases], handed),
    ]
    if scores.left_out:
        lines += ["", f"{_count(scores.left_out, 'more message')} could not be judged and are left out."]
    return lines


def _outcome(name: str, scores: Scores, flags: Sequence[bool], count: int) -> str:
    found = metrics.interval([case.conversation for case in scores.cases], flags)
    between = f"{found.low:.1%} and {found.high:.1%}" if found else ""
    return f"| {name} | {count} | {count / scores.n:.1%} | {between} |"


def _promise(scores: Scores) -> list[str]:
    if not scores.answered:
        return []
    sent = [case for case in scores.cases if case.sent is not None]
    low, high = _error_between(scores)
    rate = scores.wrong / len(sent)
    return [
        "## Promised and kept",
        f"You accept that {scores.error_budget:.1%} of the answers are wrong. Of the {len(sent)} answers that the bot "
        f"would have given, {scores.wrong} were wrong: {rate:.1%} (likely between {low:.1%} and {high:.1%}). "
        f"{_kept(rate, low, scores.error_budget)}",
        "",
        "| the bot said it was | answers | really right |",
        "| --- | ---: | ---: |",
        *_calibration(sent),
        *_other_budgets(scores),
        *_over_budget(scores),
    ]


def _other_budgets(scores: Scores) -> Iterable[str]:
    if not scores.promises:
        return
    yield from (
        "",
        "| with a budget of | bar | it would have answered | of these wrong |",
        "| ---: | ---: | ---: | ---: |",
    )
    for one in scores.kept():
        bar = f"{one.threshold:.0%}" if one.threshold <= 1 else "none keeps it"
        yield f"| {one.budget:.0%} | {bar} | {one.answered} | {one.rate:.1%} |"


def _over_budget(scores: Scores) -> Iterable[str]:
    """Kinds of request with enough answers that were wrong more often than promised."""
    for row in by_intent(scores.cases):
        if row.answered >= ENOUGH and row.wrong > scores.error_budget * row.answered:
            share = f"{row.wrong} of {row.answered} answers were wrong ({row.wrong / row.answered:.1%})"
            yield f"\nOver the budget on its own: {cell(row.intent)}, where {share}."


def _kept(rate: float, low: float, budget: float) -> str:
    if rate <= budget:
        return "The promise was kept."
    return "That is more than promised." if low > budget else "More than promised, but chance may explain it."


def _error_between(scores: Scores) -> tuple[float, float]:
    names = [case.conversation for case in scores.cases]
    sent = [case.sent is not None for case in scores.cases]
    found = metrics.interval(names, [case.wrong for case in scores.cases], sent)
    return (found.low, found.high) if found else (0.0, 1.0)


def _calibration(sent: Sequence[Case]) -> Iterable[str]:
    edges = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)
    bins = np.digitize([case.p_correct for case in sent], edges[1:-1])
    for number, (low, high) in enumerate(pairwise(edges)):
        own = [case.right for case, own_bin in zip(sent, bins, strict=True) if own_bin == number]
        if own:
            yield f"| {low:.0%} to {min(high, 1):.0%} sure | {len(own)} | {sum(own) / len(own):.1%} |"


def _verdict(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return []
    head = "It may go into service." if verdict.promote else "It must not go into service as it is."
    return ["## The gate", head, "", *(f"- {reason}" for reason in verdict.reasons)]


def _by_intent(rows: Sequence[IntentRow]) -> list[str]:
    if not rows:
        return []
    lines = [
        "## By kind of request",
        "`first guess right` counts every message, whether or not the bot was sure enough to answer.",
        "",
        "| kind of request | messages | first guess right | answered | of these wrong | handed over |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {cell(row.intent)} | {row.n} | {row.first_right / row.n:.0%} | {row.answered} | {row.wrong} "
            f"| {row.n - row.answered} |"
            for row in rows[:INTENTS]
        ),
    ]
    if rest := rows[INTENTS:]:
        lines += ["", f"{_count(len(rest), 'rarer kind')} with {sum(row.n for row in rest)} messages not shown."]
    return lines


def _wrong_answers(cases: Sequence[Case]) -> list[str]:
    wrong = sorted((case for case in cases if case.wrong), key=lambda case: (-case.p_correct, case.key))
    if not wrong:
        return []
    return [
        "## Wrong answers, the surest first",
        "Some of these may be fine: the person said it in other words, or was wrong.",
        "",
        "| customer | the bot would have said | the person said | conversation |",
        "| --- | --- | --- | --- |",
        *(
            f"| {cell(c.text)} | {cell(c.sent or '')} | {cell(c.reply)} | {cell(c.conversation)} |"
            for c in wrong[:EXAMPLES]
        ),
    ]


def _next_steps(scores: Scores, dialogue: Collection[str]) -> list[str]:
    steps = list(_steps(scores, dialogue))
    return ["## What to do next", *(f"{number}. {step}" for number, step in enumerate(steps, 1))] if steps else []


def _steps(scores: Scores, dialogue: Collection[str]) -> Iterable[str]:
    rows = by_intent(scores.cases)
    if not scores.n:
        yield "Import more conversations in which a person answered, then train again."
        return
    worst = max(rows, key=lambda row: row.wrong)
    if worst.wrong:
        yield f"Look at the answers to {worst.intent!r}: {worst.wrong} of the {scores.wrong} wrong answers are there."
    learned = (row for row in rows if row.intent not in dialogue)
    waiting = max(learned, key=lambda row: row.n - row.answered, default=None)
    if waiting and waiting.n > waiting.answered:
        handed = waiting.n - waiting.answered
        yield f"Write or review an answer for {waiting.intent!r}: it would save the most hand-overs ({handed})."
    if scores.answered and scores.wrong / scores.answered > scores.error_budget:
        yield "Lower the error budget or bring more conversations, until promise and result agree."
    if not scores.answered:
        yield "The bot is never sure enough to answer: bring more conversations, or raise the error budget in training."
    if scores.n < 1000:
        yield f"Judge small differences with care: {scores.n} messages show only large ones."


def _words(scores: Scores) -> list[str]:
    rule = (
        "when the agents' turns it was learned from mostly carry the same label as what the person did"
        if scores.scored_by == "action"
        else "when what the person said belongs to the same group of answers"
    )
    return [
        "## Words",
        f"An answer is *right* {rule}. *Handed over* means that a person answers. *Likely between* is the range that "
        f"95 of 100 repetitions with other conversations of this kind would give. {_bar(scores.threshold)}",
    ]


def _bar(threshold: float) -> str:
    if threshold > 1:
        return "In training no level of sureness kept the error budget, so the bot never answers by itself."
    return f"The bot answers by itself when it is at least {threshold:.0%} sure."


def cell(text: str, most: int = 160) -> str:
    """A text as it can stand in a cell of a table: one line, no bars, no markup of its own, cut at `most`."""
    flat = " ".join(text.split())
    short = flat if len(flat) <= most else f"{flat[: most - 1]}…"
    return short.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
