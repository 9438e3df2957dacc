"""Transcripts -> a measured bundle: split, mine, choose the encoder, fit the heads, calibrate, write, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.transcript import Transcript, dumps
from retrieval.answers import encode_requests
from retrieval.bundle import Bundles, Thresholds
from retrieval.encoder import Encoder
from retrieval.engine import Engine
from retrieval.entities import Recogniser
from retrieval.errors import BadInput
from retrieval.types import Matrix
from training.base import CACHE, Start, base_directory, with_base
from training.cluster import Labels
from training.config import TrainingConfig
from training.encoder import MULTILINGUAL, SentenceEncoder, seed_everything
from training.entities import NO_ANNOTATIONS, Annotations, with_entities
from training.evaluate import answer_actions, evaluate_replay
from training.export import int8_similarity, load_state
from training.groups import Decision, Group, decided, latest_groups
from training.heads import NEW_SHARE, calibrate_answers, fit_answers, thresholds, validate_answers
from training.intent_head import FittedIntents, fit_intents
from training.kinds import settled
from training.labelled import train_examples
from training.log import Scalars
from training.mine import Mined, assign, intent_of_answers, mine
from training.pairs import Pair, pairs
from training.policy import Dialogue, logged, with_policy
from training.report import report
from training.split import LARGE, Split, by_time, folds, forward, new_share, rounds
from training.stages import Report, Stages, alone, fingerprint, silent
from training.strange import STRANGE
from training.taught import taught
from training.tune import TUNED_SHARE, Choice, choose_encoder, right_at_1
from training.write import Parts, write

INTENT_EXAMPLES = 20_000
COMPARED = 1000
PROMISES = (0.02, 0.05, 0.1)
VERSION = 5

Encode = Callable[[Sequence[str]], Matrix]


def train(
    config: TrainingConfig,
    transcripts: Sequence[Transcript],
    *,
    bundles: Path,
    work: Path,
    error_budget: float = 0.05,
    examples: Sequence[tuple[str, str]] = (),
    annotations: Annotations = NO_ANNOTATIONS,
    stories: Sequence[Dialogue] = (),
    actions: Collection[str] = (),
    start: Path | None = None,
    trials: int = 0,
    decisions: Sequence[Decision] = (),
    progress: Report = silent,
) -> str:
    """Train on `transcripts` (redacted) and write a bundle; returns its id. It is not put into service here.

    `examples` are (text, intent) of the domain's nlu.yml, `annotations` the entities in them, `stories` its stories,
    moment by moment, `actions` what the policy may learn from logged conversations. Stages that are already in `work`
    are not done again. `start` is a bundle whose encoder is taken as it is: nothing is tuned, and what it knew it goes
    on knowing. `trials` searches so often for better context weights. `decisions` are what operators decided about the
    groups of requests, which keep the ids that they had in the bundle in service, or in the latest of `bundles`.

    Without transcripts the examples alone make a bundle that understands and has no answers. BadInput when there is
    nothing to learn from, Conflict while another training uses `work`.
    """
    if not transcripts and len({intent for _, intent in examples}) > 1:
        with alone(work):

            def complete(parts: Parts) -> Parts:
                parts = with_policy(parts, stories, config, error_budget=error_budget, progress=progress)
                return with_entities(parts, annotations, work, seed=config.seed, progress=progress)

            return train_examples(
                examples, config=config, bundles=bundles, work=work, start=start, progress=progress, complete=complete
            )
    if not transcripts:
        raise BadInput(
            "no transcripts and no examples to learn from; bring some in with `deskhand transcripts import FILE`, or "
            "write examples of two intents into nlu.yml"
        )
    seed_everything(config.seed)
    split = by_time(transcripts, test_share=config.test_share)
    data = fingerprint(*(dumps(t) for t in split.train))
    found = [pair for transcript in split.train for pair in pairs(transcript)]
    progress("split", 1, 1, f"{len(split.train)} conversations to learn from, {len(split.test)} to judge by")
    config, why = with_base(config, [pair.text for pair in found])
    progress("encoder", 0, 1, why)
    with alone(work):
        scalars = Scalars(work / "tensorboard" / data[:16])
        run = _Run(config, found, data, Stages(work), progress, scalars, Start.of(start) if start else None)
        run.before = decided(latest_groups(Bundles(bundles)), decisions)
        dialogues = [*stories, *logged(split.train, actions)]
        fitted = run.fit(error_budget, examples, trials=trials)
        parts = with_policy(fitted, dialogues, config, error_budget=error_budget, progress=progress)
        parts = with_entities(parts, annotations, work, seed=config.seed, progress=progress)

        def measure(engine: Engine) -> tuple[dict[str, Any], str]:
            return _measured(engine, split, parts, error_budget, progress, {intent for _, intent in examples})

        id = write(parts, bundles, measure)
        run.scalars.close()
    progress("bundle", 1, 1, id)
    return id


class _Run:
    """The stages of one training run; each reads what the earlier ones left."""

    def __init__(
        self,
        config: TrainingConfig,
        found: list[Pair],
        data: str,
        stages: Stages,
        progress: Report,
        scalars: Scalars,
        start: Start | None = None,
    ) -> None:
        self.config = config
        self.pairs = found
        self.data = data
        self.stages = stages
        self.progress = progress
        self.scalars = scalars
        self.start = start
        self.recogniser = Recogniser(config.mining.entities)
        self.before: list[Group] = []

    def fit(self, error_budget: float, examples: Sequence[tuple[str, str]], *, trials: int = 0) -> Parts:
        if self.start:
            base = self.start.encoder
        else:
            self.progress("encoder", 0, 1, "exporting the base encoder, once")
            base = base_directory(self.config, self.stages.work, [self.recogniser.mask(p.text) for p in self.pairs])
        frozen = Encoder(base, cache=CACHE)
        domain = {intent for _, intent in examples}
        found = self.mined(frozen, examples)
        mined, groups = settled(found, self.pairs, self.masked(frozen), self.before, domain=domain)
        if trials:
            self.config = self.searched(frozen, mined, trials)
        choice, directory = self.encoder(frozen, mined, base)
        encoder = Encoder(directory, cache=CACHE) if choice.tuned else frozen
        encode = self.masked(encoder)
        intents = self.intents(encode, mined, examples)
        queries = self.queries(encode)
        self.progress("heads", 0, 2, "calibrating on conversations that the answers were not learned from")
        keys = encode(mined.keys)
        conversations = np.unique([pair.conversation for pair in self.pairs], return_inverse=True)[1]
        seen = validate_answers(
            queries, mined.answer_of, len(mined.answers), parts=self.judged(conversations, choice),
            seed=self.config.seed, keys=keys, conversations=conversations, strange=self.encoded(encode, STRANGE),
        )  # fmt: skip
        servable = [answer.servable for answer in mined.answers]
        new = max(NEW_SHARE, new_share(mined.answer_of))
        calibration, threshold = calibrate_answers(seen, servable, error_budget=error_budget, new_share=new)
        promises = dict(zip(map(str, PROMISES), thresholds(seen, servable, PROMISES, new_share=new), strict=True))
        self.progress("heads", 1, 2, f"answers from P(correct) {threshold:.2f} on")
        repeated, taught_from = taught(self.pairs, mined.intent_of, mined.answer_of, queries, error_budget=error_budget)
        fitted = fit_answers(
            queries, mined.answer_of, len(mined.answers), keys=keys, seed=self.config.seed, conversations=conversations
        )
        model = replace(fitted, calibration=calibration, taught=repeated)
        self.scalars.add("validation/answer_recall_at_1", float(seen.right[:, 0].mean()))
        self.progress("heads", 2, 2, f"right at first {seen.right[:, 0].mean():.1%} of the time")
        cost = self.int8_loss(encoder, choice, directory, mined)
        facts = {**asdict(choice), "base": self.config.encoder.base, **cost}
        return Parts(
            encoder=directory,
            encoder_facts=facts,
            dimension=encoder.dimension,
            entities=dict(self.config.mining.entities),
            weights=self.config.context.weights,
            config=self.config.model_dump_json(indent=1),
            data=self.data,
            thresholds=_thresholds(threshold, taught_from if repeated else None, promises, intents),
            intents=intents.head if intents else None,
            model=model,
            answers=_answer_rows(mined),
            questions=_question_rows(self.pairs, mined),
            groups=groups,
        )

    def mined(self, frozen: Encoder, examples: Sequence[tuple[str, str]]) -> Mined:
        config = self.config
        base = (self._base(), config.encoder.layers)
        key = fingerprint(VERSION, self.data, config.mining, config.intents, config.seed, base, examples)

        def build(directory: Path) -> None:
            mine(self.pairs, self.masked(frozen), config, examples=examples).save(directory)

        self.progress("mine", 0, 1, f"{len(self.pairs)} answered messages")
        path, _ = self.stages.run("mined", key, build)
        mined = Mined.load(path)
        sent = sum(answer.servable for answer in mined.answers)
        note = f"{len(mined.answers)} answers, {sent} of them to send; {len(mined.intents)} intents"
        self.progress("mine", 1, 1, note)
        return mined

    def searched(self, frozen: Encoder, mined: Mined, trials: int) -> TrainingConfig:
        from training.search import search

        encode = self.masked(frozen)
        said = [(pair.text, pair.desk, pair.customer) for pair in self.pairs]
        message, desk, customer = (encode(texts) for texts in zip(*said, strict=True))
        cuts, parts = rounds(len(said)), (message, desk, customer)
        found = search(
            self.config, parts, mined.answer_of, keys=encode(mined.keys), trials=trials, cuts=cuts,
            progress=self.progress,
        )  # fmt: skip
        weights = found.config.context
        self.progress(
            "search", trials, trials,
            f"context: {{desk: {weights.desk}, customer: {weights.customer}}} has {found.right:.1%} right at first, "
            f"the recipe had {found.before:.1%}; {found.pruned} trials were pruned",
        )  # fmt: skip
        return found.config

    def _base(self) -> str:
        return self.start.id if self.start else self.config.encoder.base

    def encoder(self, frozen: Encoder, mined: Mined, base: Path) -> tuple[Choice, Path]:
        if self.start:
            why = f"it is that of bundle {self.start.id}, as `--continue` says"
            return Choice(self.start.tuned, self.start.right, None, why), base
        texts = [self.recogniser.mask(pair.text) for pair in self.pairs]
        replies = [self.recogniser.mask(pair.replies[0]) for pair in self.pairs]
        key = fingerprint(VERSION, self.data, self.config, mined.answer_of.tobytes())

        def build(directory: Path) -> None:
            choose_encoder(
                texts, replies, mined.answer_of, frozen, self.config, directory,
                progress=lambda done, total, loss: self.progress("tune", done, total, f"loss {loss:.3f}"),
                on_loss=lambda step, loss: self.scalars.add("tune/loss", loss, step),
            ).save(directory)  # fmt: skip

        path, _ = self.stages.run("tuned", key, build)
        choice = Choice.load(path)
        self.progress("tune", 1, 1, choice.why)
        self.scalars.add("validation/right_frozen", choice.frozen_right)
        if choice.tuned_right is not None:
            self.scalars.add("validation/right_tuned", choice.tuned_right)
        return choice, path / "encoder" if choice.tuned else base

    def intents(self, encode: Encode, mined: Mined, examples: Sequence[tuple[str, str]]) -> FittedIntents | None:
        """Intents of the domain and induced ones in one head, so that they compete for a message; None without any."""
        if len(mined.intents) < 2:
            return None
        rows = np.flatnonzero(mined.intent_of >= 0)
        if len(rows) > INTENT_EXAMPLES:
            rows = np.sort(np.random.default_rng(self.config.seed).permutation(rows)[:INTENT_EXAMPLES])
        texts = [self.pairs[i].text for i in rows] + [text for text, _ in examples]
        numbers = [*mined.intent_of[rows].tolist(), *(mined.intents.index(intent) for _, intent in examples)]
        labels = list(mined.intents)
        texts += [label.replace("_", " ") for label in labels]  # the name is one more example (SCIENCE.md, finding 2)
        numbers += range(len(labels))
        strength = self.config.intents.regularisation
        return fit_intents(encode(texts), np.array(numbers, np.int64), labels, strength=strength, seed=self.config.seed)

    def queries(self, encode: Encode) -> Matrix:
        contexts = [pair.context for pair in self.pairs]
        return encode_requests(encode, [pair.text for pair in self.pairs], contexts, self.config.context.weights)

    def encoded(self, encode: Encode, openings: Sequence[str]) -> Matrix:
        return encode_requests(encode, openings, [()] * len(openings), self.config.context.weights)

    def judged(self, conversations: Labels, choice: Choice) -> list[tuple[Labels, Labels]]:
        """Rows to learn from and to judge. What an encoder was tuned on cannot judge it; many rows need no folds."""
        if choice.tuned or len(self.pairs) >= LARGE:
            return forward(rounds(len(self.pairs), since=TUNED_SHARE if choice.tuned else 0.0))
        return folds(conversations)

    def masked(self, encoder: Encoder) -> Encode:
        return lambda texts: encoder.encode([self.recogniser.mask(text) for text in texts])

    def int8_loss(self, exported: Encoder, choice: Choice, directory: Path, mined: Mined) -> dict[str, float]:
        """What the 8-bit export costs: mean cosine to fp32, and the share of right first answers of both."""
        settings = self.config.encoder
        if settings.base == MULTILINGUAL or settings.layers or self.start:
            return {}
        full = SentenceEncoder.load(self.config.encoder.base)
        if choice.tuned:
            load_state(full, directory / "model.safetensors")
        texts = [self.recogniser.mask(pair.text) for pair in self.pairs][-COMPARED:]
        vectors = dict(zip(texts, full.encode(texts), strict=True))
        labels, cut = mined.answer_of[-COMPARED:], round(0.7 * len(texts))
        exact = right_at_1(lambda some: np.stack([vectors[text] for text in some]), texts, labels, cut)
        return {
            "int8_cosine": int8_similarity(full, exported, texts[:100]),
            "right_fp32": exact,
            "right_int8": right_at_1(exported.encode, texts, labels, cut),
        }


def _thresholds(
    answer: float, taught_from: float | None, promises: dict[str, float], intents: FittedIntents | None
) -> Thresholds:
    known = Thresholds(answer=answer, taught=taught_from, promises=promises)
    return replace(known, intent=intents.intent, in_scope=intents.in_scope) if intents else known


def _answer_rows(mined: Mined) -> list[dict[str, Any]]:
    return [
        {"answer": a.id, "text": a.text, "slots": a.slots, "servable": a.servable, "kind": a.kind, "why": a.why,
         "intent": intent, "count": a.count, "turns": a.turns}
        for a, intent in zip(mined.answers, intent_of_answers(mined), strict=True)
    ]  # fmt: skip


def _question_rows(found: Sequence[Pair], mined: Mined) -> list[dict[str, Any]]:
    return [
        {"conversation": p.conversation, "turn": p.turn, "text": p.text, "desk": p.desk, "customer": p.customer,
         "answer": mined.answers[number].id}
        for p, number in zip(found, mined.answer_of.tolist(), strict=True)
    ]  # fmt: skip


def _measured(
    engine: Engine, split: Split, parts: Parts, error_budget: float, progress: Report, dialogue: set[str]
) -> tuple[dict[str, Any], str]:
    sources = {row["answer"]: row["turns"] for row in parts.answers}
    scores = evaluate_replay(
        engine,
        split.test,
        actions=answer_actions(sources, split.train),
        assign=lambda replies: assign(replies, engine),
        error_budget=error_budget,
        progress=lambda done, total: progress("evaluate", done, total, "replaying later conversations"),
    )
    sent = sum(row["servable"] for row in parts.answers)
    facts = (
        f"Learned from {len(split.train)} conversations: {len(parts.answers)} answers, {sent} of them good to send.",
        f"Encoder: {parts.encoder_facts['why']}.",
    )
    return {"replay": scores.summary()}, report(scores, facts=facts, dialogue=dialogue, groups=parts.groups)
