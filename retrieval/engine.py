"""A loaded bundle: understand a message, answer it from logged requests, search the articles. Sync and thread-safe.

Nothing here imports torch. One batch of the encoder a message, everything after it is a matrix product.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from retrieval.answers import AnswerModel, Taught, encode_requests
from retrieval.bundle import Manifest, Thresholds, verify
from retrieval.encoder import Encoder
from retrieval.entities import Recogniser
from retrieval.errors import BadBundle
from retrieval.fusion import Asked
from retrieval.index import Index
from retrieval.intents import IntentHead, IntentTables
from retrieval.knowledge import Filter, KnowledgeIndex
from retrieval.policy import LearnedPolicy
from retrieval.token_head import TokenHead, find_entities
from retrieval.types import AnswerHit, Entity, IntentScore, LoggedRequest, Matrix, Passage, Understanding

RANKING = 10
PROVENANCE = 3
PROBE_TOLERANCE = 0.1


class Engine:
    """What a server asks. `knowledge` may be set and replaced at any time; None means that there are no articles."""

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        recogniser: Recogniser,
        intents: IntentHead | None,
        answers: AnswerModel | None,
        table: Sequence[dict[str, Any]],
        questions: Sequence[tuple[str, int, str]],
        weights: Sequence[float],
    ) -> None:
        self.manifest = manifest
        self.id = manifest.id
        self.thresholds: Thresholds = manifest.thresholds
        self.encoder = encoder
        self.recogniser = recogniser
        self.intents = intents
        self.answers = answers
        self.table = table
        self.questions = questions
        self.weights = weights
        self.knowledge: KnowledgeIndex | None = None
        self.policy: LearnedPolicy | None = None
        self.tokens: TokenHead | None = None

    @classmethod
    def load(cls, path: Path, *, knowledge: KnowledgeIndex | None = None, probe: bool = True) -> Engine:
        """Read a bundle directory; BadBundle when anything in it is not as its manifest says or a probe fails."""
        manifest = verify(path)
        settings = _json(path / "engine.json")
        head = TokenHead.load(path)
        encoder = Encoder(path / "encoder", project=head.project if head else None)
        if encoder.dimension != manifest.dimension:
            raise BadBundle(
                f"bundle {manifest.id}: the encoder gives {encoder.dimension} dimensions, the manifest says "
                f"{manifest.dimension}; train again or roll back"
            )
        engine = cls(
            manifest,
            encoder,
            Recogniser(settings["entities"]),
            _intents(path, manifest),
            *_answers(path, manifest, settings["mix"]),
            weights=settings["weights"],
        )
        engine.knowledge = knowledge
        engine.policy = LearnedPolicy.load(path)
        engine.tokens = _fitting(head, encoder, manifest)
        if probe:
            engine.replay_probes()
        return engine

    def encode(self, texts: Sequence[str]) -> Matrix:
        """(n, d) float32 rows of length one; particulars are masked first, as they are in transcripts."""
        return self.encoder.encode([self.recogniser.mask(text) for text in texts])

    def understand(self, text: str, *, context: Sequence[str] = ()) -> Understanding:
        """`context` is (previous desk text, previous customer text), "" or missing at the start."""
        return self.understand_all([text], contexts=[context])[0]

    def understand_all(self, texts: Sequence[str], *, contexts: Sequence[Sequence[str]] = ()) -> list[Understanding]:
        """`understand` for many messages at once; results do not depend on what else is in the batch."""
        contexts = contexts or [()] * len(texts)
        vectors = encode_requests(self.encode, texts, contexts, self.weights)
        judged = None
        if self.intents is not None and len(texts):
            judged = self.intents.judge(self.encode(texts))
        out = []
        for row, text in enumerate(texts):
            ranking: tuple[IntentScore, ...] = ()
            in_scope = 1.0
            if judged is not None and self.intents is not None:
                shares = judged.probabilities[row]
                best = np.argsort(-shares, kind="stable")[:RANKING]
                ranking = _ranking([(self.intents.labels[i], float(shares[i])) for i in best], float(judged.trust[row]))
                in_scope = float(judged.in_scope[row])
            found = self.entities(text)
            out.append(Understanding(text, ranking, in_scope, found, tuple(contexts[row]), self.id, vectors[row]))
        return out

    @property
    def learned(self) -> frozenset[str]:
        """The names of the entities that the bundle was trained to find."""
        return self.tokens.names if self.tokens else frozenset()

    def entities(self, text: str) -> tuple[Entity, ...]:
        """By pattern, and by the token head where the bundle has one: the message's one pass through the encoder serves
        both. What a pattern found is not found again under the same name."""
        patterned = self.recogniser.find(text)
        if self.tokens is None:
            return patterned
        learned = find_entities(self.tokens, self.encoder, self.recogniser, text)
        fresh = [one for one in learned if not any(_same(one, known) for known in patterned)]
        return tuple(sorted([*patterned, *fresh], key=lambda one: one.start))

    def answer(self, heard: Understanding, *, k: int = 5) -> list[AnswerHit]:
        return self.answer_all([heard], k=k)[0]

    def answer_all(self, heard: Sequence[Understanding], *, k: int = 5) -> list[list[AnswerHit]]:
        """Candidates for each message, best first, at most `k`."""
        if self.answers is None or not heard:
            return [[] for _ in heard]
        scored = self.answers.score(np.stack([self._vector(h) for h in heard]), k=k)
        sure, taught = self.answers.sure(scored)
        tables = (scored.answers, scored.scores, sure, taught)
        return [
            [
                self._hit(number, score, p, bool(repeats), scored.rows[m], scored.similarities[m])
                for number, score, p, repeats in zip(*(table[m].tolist() for table in tables), strict=True)
            ]
            for m in range(len(heard))
        ]

    def search(
        self, heard: Understanding, *, k: int = 5, history: Sequence[str] = (), only: Filter | None = None
    ) -> list[Passage]:
        """Passages of the articles, best first; empty without articles.

        `history` is what was said before, oldest first; without it the context that was heard counts. It costs no
        encoding: the earlier turns take part in word search (`fusion`). `only` is a `knowledge.Filter`.
        """
        if self.knowledge is None:
            return []
        said = tuple(self.recogniser.mask(text) for text in history or heard.context[::-1])
        asked = Asked(self.recogniser.mask(heard.text), said)
        return self.knowledge.search(self.encode([heard.text])[0], asked, k=k, only=only)

    def _vector(self, heard: Understanding) -> Matrix:
        if heard.vector is None or heard.bundle != self.id:  # understood by an earlier bundle: encode again
            heard = self.understand(heard.text, context=heard.context)
        assert heard.vector is not None
        return heard.vector

    def _hit(
        self, number: int, score: float, sure: float, taught: bool, rows: NDArray[np.int64], similar: Matrix
    ) -> AnswerHit:
        assert self.answers is not None
        owner = self.answers.answer_of
        own = [(r, s) for r, s in zip(rows.tolist(), similar.tolist(), strict=True) if owner[r] == number]
        row = self.table[number]
        return AnswerHit(
            answer=row["answer"],
            text=row["text"],
            p_correct=sure,
            score=score,
            slots=tuple(row["slots"]),
            servable=row["servable"],
            intent=row["intent"],
            requests=tuple(self._logged(r, s) for r, s in own[:PROVENANCE]),
            threshold=self.thresholds.taught if taught else None,
        )

    def _logged(self, row: int, similarity: float) -> LoggedRequest:
        conversation, turn, text = self.questions[row]
        return LoggedRequest(conversation, turn, text, similarity)

    def probe(self, text: str, context: Sequence[str]) -> dict[str, Any]:
        """What a probe records of one message."""
        heard = self.understand(text, context=context)
        hits = self.answer(heard, k=1)
        return {
            "text": text,
            "context": list(context),
            "intent": heard.intent.name if heard.intent else None,
            "in_scope": heard.in_scope,
            "answer": hits[0].answer if hits else None,
            "p_correct": hits[0].p_correct if hits else None,
        }

    def replay_probes(self) -> None:
        """Refuse a bundle that does not say here what it said where it was made.

        Probabilities may differ by 0.1: 8-bit kernels round differently from processor to processor.
        """
        for expected in self.manifest.probes:
            got = self.probe(expected["text"], expected["context"])
            for key, value in expected.items():
                near = isinstance(value, float) and abs(got[key] - value) <= PROBE_TOLERANCE
                if not near and got[key] != value:
                    raise BadBundle(
                        f"bundle {self.id}: probe {expected['text']!r} gives {key} {got[key]!r}, recorded {value!r}; "
                        "roll back or train again on this machine"
                    )


def _same(one: Entity, other: Entity) -> bool:
    return one.name == other.name and one.start < other.end and one.end > other.start


def _fitting(head: TokenHead | None, encoder: Encoder, manifest: Manifest) -> TokenHead | None:
    if head is not None and (head.width > 0) != encoder.reads:
        raise BadBundle(
            f"bundle {manifest.id}: its entities want an encoder that {'tells' if head.width else 'does not tell'} "
            "tokens; roll back or train again"
        )
    if head is not None:
        _count(manifest, "entity labels", len(head.labels))
    return head


def _ranking(best: Sequence[tuple[str, float]], trust: float) -> tuple[IntentScore, ...]:
    """The first one's confidence is how far to trust it; the others keep their share, but never pass the first."""
    (first, _), *rest = best
    return (IntentScore(first, trust), *(IntentScore(name, min(share, trust)) for name, share in rest))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} cannot be read: {error}; roll back or train again") from error


def _lines(path: Path, manifest: Manifest, table: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    _count(manifest, table, len(rows))
    return rows


def _count(manifest: Manifest, table: str, got: int) -> None:
    if got != manifest.rows.get(table):
        raise BadBundle(
            f"bundle {manifest.id}: {table} has {got} rows, the manifest says {manifest.rows.get(table)}; roll back"
        )


def _intents(path: Path, manifest: Manifest) -> IntentHead | None:
    if not manifest.labels:
        return None
    arrays = load_file(path / "intents.safetensors")
    index = Index.load(path / "intents.faiss")
    examples = arrays.pop("intent_of")
    _count(manifest, "intent examples", len(index))
    _count(manifest, "intent examples", len(examples))
    return IntentHead(manifest.labels, IntentTables.from_arrays(arrays), index, examples.astype(np.int64))


def _answers(
    path: Path, manifest: Manifest, mix: float
) -> tuple[AnswerModel | None, list[dict[str, Any]], list[tuple[str, int, str]]]:
    if not manifest.rows.get("answers"):
        return None, [], []
    table = _lines(path / "answers.jsonl", manifest, "answers")
    asked = _lines(path / "questions.jsonl", manifest, "questions")
    index = Index.load(path / "questions.faiss")
    _count(manifest, "questions", len(index))
    arrays = load_file(path / "answers.safetensors")
    model = AnswerModel(
        index=index,
        answer_of=arrays["answer_of"].astype(np.int64),
        support=arrays["support"].astype(np.int64),
        weight=arrays["weight"].astype(np.float32),
        bias=arrays["bias"],
        calibration=arrays["calibration"],
        replies=arrays["replies"].astype(np.float32),
        requests=arrays["requests"].astype(np.float32),
        coherence=arrays["coherence"],
        record=arrays["record"],
        mix=mix,
        taught=_taught(arrays),
    )
    _count(manifest, "questions", len(model.answer_of))
    _count(manifest, "answers", model.weight.shape[1])
    return model, table, [(row["conversation"], row["turn"], row["text"]) for row in asked]


def _taught(arrays: dict[str, NDArray[Any]]) -> Taught | None:
    if "taught" not in arrays:
        return None
    return Taught(arrays["taught"], arrays["taught_answer_of"].astype(np.int64), arrays["same"])
