"""`python desk.py PORT`: the real server, with an engine that knows four questions by their keywords.

What the widget does must not hang on what a model has learned, and a browser test must not wait for training.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.server import run
from bot.settings import Settings
from retrieval.bundle import Thresholds
from retrieval.types import AnswerHit, IntentScore, Matrix, Passage, Understanding

BUNDLE = "20260101T000000-00000000"
INTENTS = {"hello": "greet", "return": "ask_return", "order": "ask_order"}
REPAIR = Passage(
    id="repair#1",
    article="repair",
    title="Repairs",
    heading="Zips and seams",
    text="A broken zip is repaired free of charge for ten years.",
    url="https://shop.example/repair",
    score=0.9,
    p_relevant=0.97,
)


class KeywordEngine:
    id = BUNDLE
    thresholds = Thresholds()
    knowledge = None

    def encode(self, texts: Sequence[str]) -> Matrix:
        return np.ones((len(texts), 1), dtype=np.float32)

    def understand(self, text: str, *, context: Sequence[str] = ()) -> Understanding:
        intents = [intent for word, intent in INTENTS.items() if word in text.lower()]
        ranking = tuple(IntentScore(intent, 0.99) for intent in intents[:1])
        return Understanding(text, ranking, in_scope=0.99, context=tuple(context), bundle=self.id)

    def answer(self, heard: Understanding, *, k: int = 5) -> list[AnswerHit]:
        if "guarantee" not in heard.text.lower():
            return []
        return [AnswerHit("guarantee", "Everything we make is guaranteed for ten years.", p_correct=0.98, score=0.9)]

    def search(self, heard: Understanding, *, k: int = 5) -> list[Passage]:
        return [REPAIR] if "zip" in heard.text.lower() else []


def main() -> None:
    settings = Settings.build(config_dir=Path(__file__).with_name("shop"), port=int(sys.argv[1]))
    bundle = settings.bundles / BUNDLE
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / "manifest.json").write_text("{}")
    (settings.bundles / "CURRENT").write_text(BUNDLE)
    run(settings, load=lambda path: KeywordEngine())  # type: ignore[arg-type,return-value]


if __name__ == "__main__":
    main()
