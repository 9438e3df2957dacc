"""A small engine for the tests of serving: it knows sentences word by word, and reads them from a real bundle
directory. It has the interface of `retrieval.engine.Engine` and nothing of its language."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from retrieval.bundle import Bundles, Manifest, Thresholds, new_id, verify, write_manifest
from retrieval.errors import BadBundle
from retrieval.types import AnswerHit, IntentScore, LoggedRequest, Matrix, Passage, Understanding

DIMENSION = 512


class WordEngine:
    """`knows`: answers are {"question", "answer", "servable"}, intents are {"text", "intent"}. P is the cosine."""

    def __init__(self, manifest: Manifest, knows: dict[str, Any]) -> None:
        self.manifest = manifest
        self.id = manifest.id
        self.thresholds = manifest.thresholds
        self.knowledge: Any = None
        self._answers = knows["answers"]
        self._intents = knows["intents"]
        self._asked = self.encode([row["question"] for row in self._answers])
        self._said = self.encode([row["text"] for row in self._intents])

    @classmethod
    def load(cls, path: Path) -> WordEngine:
        manifest = verify(path)
        knows = json.loads((path / "words.json").read_text())
        if "fails" in knows:
            raise BadBundle(f"bundle {manifest.id}: a probe failed")
        return cls(manifest, knows)

    def encode(self, texts: Sequence[str]) -> Matrix:
        out = np.zeros((len(texts), DIMENSION), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                out[row, crc32(word.encode()) % DIMENSION] += 1
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    def understand(self, text: str, *, context: Sequence[str] = ()) -> Understanding:
        if "explode" in text:
            raise ZeroDivisionError("the engine broke")
        vector = self.encode([text])[0]
        best: dict[str, float] = {}
        for row, close in zip(self._intents, self._said @ vector, strict=True):
            best[row["intent"]] = max(best.get(row["intent"], 0.0), float(close))
        ranking = tuple(IntentScore(name, p) for name, p in sorted(best.items(), key=lambda item: -item[1]))
        return Understanding(text, ranking, 1.0, (), tuple(context), self.id, vector)

    def answer(self, heard: Understanding, *, k: int = 5) -> list[AnswerHit]:
        assert heard.vector is not None
        hits = [
            AnswerHit(
                answer=f"a{number}",
                text=row["answer"],
                p_correct=float(close),
                score=float(close),
                servable=row.get("servable", True),
                requests=(LoggedRequest("t1", number, row["question"], float(close)),),
            )
            for number, (row, close) in enumerate(zip(self._answers, self._asked @ heard.vector, strict=True))
        ]
        return sorted(hits, key=lambda hit: -hit.p_correct)[:k]

    def search(self, heard: Understanding, *, k: int = 5) -> list[Passage]:
        assert heard.vector is not None
        return [] if self.knowledge is None else self.knowledge.search(heard.vector, k=k)


def write_bundle(bundles: Bundles, *answers: tuple[str, str], fails: bool = False) -> str:
    """A bundle that knows these (question, answer) pairs; its id."""
    knows: dict[str, Any] = {
        "answers": [{"question": question, "answer": answer} for question, answer in answers],
        "intents": [
            {"text": "hello", "intent": "greet"},
            {"text": "i want to talk to a person please", "intent": "talk_to_person"},
            {"text": "where is my order", "intent": "order_status"},
        ],
    }
    if fails:
        knows["fails"] = True
    id_ = new_id(f"{answers}{time.time_ns()}")
    with bundles.building(id_) as scratch:
        (scratch / "words.json").write_text(json.dumps(knows))
        write_manifest(
            scratch,
            Manifest(
                id=id_,
                created="2026-01-01T00:00:00Z",
                dimension=DIMENSION,
                labels=("greet", "talk_to_person", "order_status"),
                thresholds=Thresholds(answer=0.8, intent=0.8),
                rows={},
                data="",
                config="",
                versions={},
                encoder={},
            ),
        )
    return id_
