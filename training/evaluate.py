"""Measure a written bundle through its `Engine`, so that training and serving cannot drift apart.

Scores use what serving would do with the same message: same context, same thresholds. Gold labels are read only after
the engine has spoken.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from bot.transcript import Transcript
from retrieval.articles import Article
from retrieval.errors import BadInput
from retrieval.fusion import Asked
from retrieval.knowledge import KnowledgeIndex
from retrieval.shelves import Encode
from retrieval.types import AnswerHit, Understanding
from training import metrics
from training.acts import Acts
from training.answers import replies
from training.pairs import Pair, pairs
from training.rows import Document, IntentRow, Question, TurnRow
from training.scores import Case, Scores

if TYPE_CHECKING:
    from retrieval.engine import Engine

T = TypeVar("T")
Progress = Callable[[int, int], None]
Assign = Callable[[Sequence[str]], Sequence[str | None]]

CANDIDATES = 10
PASSAGES = 60


def evaluate_intents(engine: Engine, rows: Sequence[IntentRow], *, progress: Progress | None = None) -> dict[str, Any]:
    """The measures of `deskhand evaluate intents`, without those of training; None where no row can show one.

    Abstaining means that `in_scope` is below its threshold.
    """
    heard = [engine.understand(text) for text, _ in _counted(rows, len(rows), progress)]
    top = [h.intent.name if h.intent else None for h in heard]
    pairs = zip(top, (gold for _, gold in rows), strict=True)
    right = np.array([name is not None and name == gold for name, gold in pairs], dtype=bool)
    out = np.array([gold is None for _, gold in rows], dtype=bool)
    scope = np.array([h.in_scope for h in heard])
    sure = [h.intent.confidence if h.intent else 0.0 for h in heard]
    kept = scope >= engine.thresholds.in_scope
    return {
        "accuracy": metrics.share(np.where(kept, right & ~out, out)),
        "in_scope_accuracy": metrics.share(right[~out]),
        "oos_recall": metrics.share(~kept[out]),
        "oos_auroc": metrics.oos_auroc(scope[~out], scope[out]),
        "oos_recall_at_95_in_scope": metrics.oos_recall_at(scope[~out], scope[out]),
        "best_accuracy": metrics.best_accuracy(scope, right, out),
        "coverage_at_2pct_error": metrics.coverage_at_error(sure, right, error=0.02),
        "coverage_at_5pct_error": metrics.coverage_at_error(sure, right, error=0.05),
        "encode_p50_ms": encode_p50_ms(engine, [text for text, _ in rows]),
        "n_test": len(rows),
        "n_out_of_scope": int(out.sum()),
        "in_scope_kept": metrics.share(kept[~out]),
    }


def encode_p50_ms(engine: Engine, texts: Sequence[str], *, most: int = 200) -> float:
    """The median time of encoding one text that is not in the cache, in milliseconds."""
    took = []
    for number, text in enumerate(texts[:most]):
        start = time.perf_counter()
        engine.encode([f"{text} {number}"])
        took.append(1000 * (time.perf_counter() - start))
    return float(np.median(took))


def evaluate_induction(rows: Sequence[TurnRow], labels: Sequence[str]) -> dict[str, Any]:
    """Agreement of the induced `labels` with the gold intents of the rows that have one; all None when none has."""
    pairs = [(row.intent, label) for row, label in zip(rows, labels, strict=True) if row.intent is not None]
    keys = ("acc", "nmi", "ari", "precision", "recall", "f1")
    found = asdict(metrics.clustering(*zip(*pairs, strict=True))) if pairs else dict.fromkeys(keys)
    return {**found, "k": len(set(labels)), "n": len(rows), "n_scored": len(pairs)}


def evaluate_induced(engine: Engine, test: Sequence[IntentRow]) -> dict[str, Any]:
    """`test_acc`, `test_nmi`, ...: an engine trained on induced labels, through the best one-to-one match on `test`."""
    scored = [(text, gold) for text, gold in test if gold is not None]
    if not scored:
        raise BadInput("no row of --test has an intent, so nothing can be scored; label the rows or leave --test out")
    heard = [engine.understand(text).intent for text, _ in scored]
    found = metrics.clustering([gold for _, gold in scored], [intent.name if intent else "" for intent in heard])
    return {**{f"test_{key}": value for key, value in asdict(found).items()}, "n_test": len(scored)}


def document_search(documents: Sequence[Document], encode: Encode) -> Callable[[Question], list[str]]:
    """The search of the engine over these documents; a document ranks as its best passage, ten are found."""
    articles = [Article(document.id, document.title, document.text) for document in documents]
    index = KnowledgeIndex.build(articles, encode, encoder_id="evaluate")

    def search(question: Question) -> list[str]:
        passages = index.search(encode([question.text])[0], Asked(question.text, question.context), k=PASSAGES)
        return list(dict.fromkeys(passage.article for passage in passages))[:CANDIDATES]

    return search


def evaluate_knowledge(
    questions: Sequence[Question], search: Callable[[Question], Sequence[str]], *, progress: Progress | None = None
) -> dict[str, Any]:
    """`search` gives document ids, best first, without repeats; its time is measured, encoding included."""
    ranks: list[int | None] = []
    took: list[float] = []
    for question in _counted(questions, len(questions), progress):
        start = time.perf_counter()
        found = search(question)
        took.append(1000 * (time.perf_counter() - start))
        ranks.append(next((rank for rank, id in enumerate(found, 1) if id in question.gold), None))
    return {
        "recall_at_1": metrics.recall_at(ranks, 1),
        "recall_at_5": metrics.recall_at(ranks, 5),
        "mrr_at_10": metrics.mrr(ranks, k=10),
        "p50_ms": float(np.median(took)) if took else None,
        "n": len(questions),
    }


def evaluate_replay(
    engine: Engine,
    transcripts: Iterable[Transcript],
    *,
    actions: Mapping[str, str],
    assign: Assign,
    error_budget: float,
    progress: Progress | None = None,
) -> Scores:
    """Run the customer turns that an agent answered through the engine, and judge what it would have said.

    With `action` labels in `transcripts` an answer is right when `actions` (see `answer_actions`) gives it the label of
    the agent's next turn; turns without a label are left out. Without labels it is right when `assign(replies)` puts
    what the agent said into its group; conversations that were not resolved are left out, because what was said there
    need not be right.
    """
    asked = [(pair, transcript.outcome.resolved) for transcript in transcripts for pair in pairs(transcript)]
    labelled = any(pair.actions[0] for pair, _ in asked)
    kept = [pair for pair, resolved in asked if (pair.actions[0] if labelled else resolved is not False)]
    golds = [pair.actions[0] for pair in kept] if labelled else list(assign(_said(engine, kept)))
    label_of: Callable[[str], str | None] = actions.get if labelled else str
    cases, took = [], []
    for pair, gold in _counted(list(zip(kept, golds, strict=True)), len(kept), progress):
        start = time.perf_counter()
        heard = engine.understand(pair.text, context=pair.context)
        hits = engine.answer(heard, k=CANDIDATES)
        took.append(1000 * (time.perf_counter() - start))
        right = {hit.answer for hit in hits if gold is not None and label_of(hit.answer) == gold}
        cases.append(_case(pair, gold, heard, hits, right, engine.thresholds.answer))
    return Scores(
        bundle=engine.id,
        cases=tuple(cases),
        threshold=engine.thresholds.answer,
        error_budget=error_budget,
        promises=engine.thresholds.promises,
        scored_by="action" if labelled else "answer group",
        left_out=len(asked) - len(kept),
        ms=tuple(took),
    )


def answer_actions(sources: Mapping[str, Iterable[Sequence[Any]]], training: Iterable[Transcript]) -> dict[str, str]:
    """answer id -> the action that most of the agent turns carry which it was mined from; ties by name.

    `sources` names those turns as (conversation, position). An answer whose turns carry no action is absent.
    """
    turns = {answer: [(str(conversation), int(turn)) for conversation, turn in own] for answer, own in sources.items()}
    wanted = {key for own in turns.values() for key in own}
    actions = {
        (transcript.id, position): turn.action
        for transcript in training
        for position, turn in enumerate(transcript.turns)
        if turn.action and (transcript.id, position) in wanted
    }
    found = {}
    for answer, own in turns.items():
        if counts := Counter(actions[key] for key in own if key in actions):
            found[answer] = _commonest(counts)
    return found


def _commonest(counts: Counter[str]) -> str:
    return min(counts, key=lambda name: (-counts[name], name))


def _said(engine: Engine, asked: Sequence[Pair]) -> list[str]:
    """What the agents said, read as mining reads it: the first turn with content, without greeting and sign-off."""
    return [reply.text for reply in replies(asked, Acts(engine.encode))] if asked else []


def would_send(hits: Sequence[AnswerHit], threshold: float) -> AnswerHit | None:
    """The answer that the bot sends by itself: the first, if it may be sent and is sure enough; None hands over."""
    best = next(iter(hits), None)
    return best if best and best.servable and best.clears(threshold) else None


def _case(
    pair: Pair,
    gold: str | None,
    heard: Understanding,
    hits: Sequence[AnswerHit],
    right: set[str],
    threshold: float,
) -> Case:
    sent = would_send(hits, threshold)
    return Case(
        conversation=pair.conversation,
        turn=pair.turn,
        text=pair.text,
        reply=" ".join(pair.replies),
        gold=gold,
        intent=heard.intent.name if heard.intent else "unknown",
        rank=next((rank for rank, hit in enumerate(hits, 1) if hit.answer in right), None),
        p_correct=hits[0].p_correct if hits else 0.0,
        servable=bool(hits) and hits[0].servable,
        sent=sent.text if sent else None,
        right=sent is not None and sent.answer in right,
    )


def _counted(items: Sequence[T], total: int, progress: Progress | None) -> Iterator[T]:
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(done, total)
