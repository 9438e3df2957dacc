"""One system on one set: `python bench/rivals.py SYSTEM TRAIN.jsonl TEST.jsonl SEED`; prints {"predicted", "sure"}.

Run by bench/understanding.py in a process of its own, so that time and memory are the system's alone, and with the
Python of the rival's own environment. What a system needs besides comes as environment variables.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Rows = list[dict[str, Any]]
Found = tuple[list[str], list[float]]


def tfidf(train: Rows, test: Rows, seed: int) -> Found:
    """Words and pairs of words, and letters in threes to fives."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, letters), LogisticRegression(C=10, max_iter=300, random_state=seed))
    model.fit([row["text"] for row in train], [row["intent"] for row in train])
    return _best(model.predict_proba([row["text"] for row in test]), model.classes_)


def minilm(train: Rows, test: Rows, seed: int) -> Found:
    """all-MiniLM-L6-v2 as it is, in the int8 export that Deskhand serves, and logistic regression."""
    from sklearn.linear_model import LogisticRegression

    from retrieval.encoder import Encoder

    encoder = Encoder(Path(os.environ["MINILM"]))
    model = LogisticRegression(C=10, max_iter=300, random_state=seed)
    model.fit(encoder.encode([row["text"] for row in train]), [row["intent"] for row in train])
    return _best(model.predict_proba(encoder.encode([row["text"] for row in test])), model.classes_)


def setfit(train: Rows, test: Rows, seed: int) -> Found:
    """The `setfit` package on the same MiniLM (SETFIT_BASE), with its defaults but SETFIT_PAIRS pairs an example."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    labels = sorted({row["intent"] for row in train})
    model = SetFitModel.from_pretrained(os.environ["SETFIT_BASE"], labels=labels)
    given = Dataset.from_list([{"text": row["text"], "label": labels.index(row["intent"])} for row in train])
    with TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, num_epochs=1, batch_size=16, num_iterations=int(os.environ.get("SETFIT_PAIRS", "5")),
            seed=seed, report_to="none", save_strategy="no",
        )  # fmt: skip
        Trainer(model=model, args=arguments, train_dataset=given).train()
    return _best(model.predict_proba([row["text"] for row in test], as_numpy=True), labels)


def diet(train: Rows, test: Rows, seed: int) -> Found:
    """Rasa's DIET classifier with the pipeline of `rasa init` (3.6), 100 epochs."""
    import asyncio

    import yaml
    from rasa.core.agent import Agent
    from rasa.model_training import train_nlu

    by_intent: dict[str, list[str]] = {}
    for row in train:
        by_intent.setdefault(row["intent"], []).append(row["text"].replace("[", "(").replace("]", ")"))
    pipeline = [
        {"name": "WhitespaceTokenizer"}, {"name": "RegexFeaturizer"}, {"name": "LexicalSyntacticFeaturizer"},
        {"name": "CountVectorsFeaturizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
        {"name": "DIETClassifier", "epochs": 100, "random_seed": seed, "entity_recognition": False},
    ]  # fmt: skip
    with TemporaryDirectory() as scratch:
        home = Path(scratch)
        nlu = [{"intent": name, "examples": "".join(f"- {t}\n" for t in texts)} for name, texts in by_intent.items()]
        (home / "nlu.yml").write_text(yaml.safe_dump({"version": "3.1", "nlu": nlu}), "utf-8")
        config = {"recipe": "default.v1", "language": "en", "pipeline": pipeline}
        (home / "config.yml").write_text(yaml.safe_dump(config), "utf-8")
        model = train_nlu(str(home / "config.yml"), str(home / "nlu.yml"), output=scratch)
        agent = Agent.load(model)

        async def ask() -> list[Any]:
            return [(await agent.parse_message(row["text"]))["intent"] for row in test]

        found = asyncio.run(ask())
    return [intent["name"] or "" for intent in found], [float(intent["confidence"]) for intent in found]


def deskhand(train: Rows, test: Rows, seed: int) -> Found:
    """As `deskhand evaluate intents` does it, with ENCODER as `encoder.base`."""
    return _deskhand(train, test, seed, tune="auto")


def deskhand_fast(train: Rows, test: Rows, seed: int) -> Found:
    """The same with `encoder.tune: never`."""
    return _deskhand(train, test, seed, tune="never")


def _deskhand(train: Rows, test: Rows, seed: int, *, tune: str) -> Found:
    from retrieval.engine import Engine
    from training.config import TrainingConfig
    from training.labelled import train_intents

    config = TrainingConfig.model_validate(
        {"seed": seed, "encoder": {"base": os.environ.get("ENCODER", "support"), "tune": tune}}
    )
    with TemporaryDirectory() as scratch:
        rows = [(row["text"], row["intent"]) for row in train]
        engine = Engine.load(train_intents(rows, config=config, work=Path(scratch)))
        heard = [engine.understand(row["text"]) for row in test]
    return [h.intent.name if h.intent else "" for h in heard], [h.intent.confidence if h.intent else 0 for h in heard]


def _best(probabilities: Any, classes: Any) -> Found:
    best = probabilities.argmax(1)
    return [str(classes[i]) for i in best], [float(value) for value in probabilities.max(1)]


SYSTEMS: dict[str, Callable[[Rows, Rows, int], Found]] = {
    "tfidf": tfidf, "minilm": minilm, "setfit": setfit, "diet": diet, "fast": deskhand_fast, "deskhand": deskhand,
}  # fmt: skip


def main() -> None:
    name, train, test, seed = sys.argv[1:]
    rows = [[json.loads(line) for line in Path(path).read_text("utf-8").splitlines()] for path in (train, test)]
    known = [row for row in rows[0] if row["intent"] is not None]
    predicted, sure = SYSTEMS[name](known, rows[1], int(seed))
    print("\n" + json.dumps({"predicted": predicted, "sure": sure}))


if __name__ == "__main__":
    main()
