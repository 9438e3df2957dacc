"""Quality of knowledge search and answers: `python bench/knowledge.py [SET ...] [--half test|tune|all] [--work DIR]`.

Sets are split by a hash of the dialogue: weights were chosen on the `tune` half, `test` is what may be quoted. OR-ShARC
and DSTC10 are too small to be split: all of them was looked at while weights were chosen. Each method ranks the same
passages; a passage is right when it holds the gold text (Doc2Dial: one of the spans) or is of a gold article.

Then what the bot does: answered and withheld at a threshold, with the right article there and withdrawn, the word F1 of
the composed answer against the gold spans, and what of the injection texts gets into an answer.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bm25s
import datasets
import numpy as np

from retrieval.articles import Article
from retrieval.compose import compose
from retrieval.fusion import Asked
from retrieval.knowledge import KnowledgeIndex
from retrieval.relevance import features
from retrieval.words import stems

RRF = 60
SPLIT = ("doc2dial", "stackfaq")


@dataclass(frozen=True)
class Question:
    dialogue: str
    text: str
    history: tuple[str, ...]
    gold: frozenset[str]
    spans: tuple[str, ...] = ()


@dataclass(frozen=True)
class Set:
    name: str
    articles: list[Article]
    questions: list[Question]


def doc2dial(data: Path) -> tuple[list[Article], list[Question]]:
    articles = [
        Article(row["doc_id"], row["title"], row["text"]) for row in datasets.rows(data / "doc2dial/documents.jsonl.gz")
    ]
    asked = [
        Question(
            row["dialogue"],
            row["question"],
            tuple(turn["text"] for turn in row["history"]),
            frozenset([row["doc_id"]]),
            tuple(row["grounding_spans"]),
        )
        for row in datasets.rows(data / "doc2dial/questions.jsonl.gz")
    ]
    return articles, asked


def stackfaq(data: Path) -> tuple[list[Article], list[Question]]:
    rows = list(datasets.rows(data / "stackfaq/faqs.jsonl.gz"))
    articles = [Article(row["faq_id"], row["question"], "\n\n".join(row["answers"])) for row in rows]
    asked = [
        Question(f"{row['faq_id']}/{number}", text, (), frozenset([row["faq_id"]]))
        for row in rows
        for number, text in enumerate(row["queries"])
    ]
    return articles, asked


def dstc10(data: Path) -> tuple[list[Article], list[Question]]:
    files = datasets.dstc10(data)
    articles = [Article(row["id"], row["title"], row["text"]) for row in files["documents"]]
    asked = [
        Question(row["id"], row["text"], tuple(row["context"]), frozenset(row["gold"])) for row in files["questions"]
    ]
    return articles, asked


def sharc(data: Path) -> tuple[list[Article], list[Question]]:
    """The scenario and the follow-up questions with their answers are what was said before."""
    articles = []
    for row in datasets.rows(data / "sharc/rules_kb.jsonl.gz"):
        title = row["text"].strip().split("\n")[0].lstrip("# ").strip()
        articles.append(Article(row["doc_id"], title, row["text"]))
    known = {article.id for article in articles}
    asked = []
    for row in datasets.rows(data / "sharc/dev.jsonl.gz"):
        said = [text for one in row["history"] for text in (one["follow_up_question"], one["follow_up_answer"])]
        if row["gold_snippet_id"] in known:
            before = tuple(text for text in (row["scenario"], *said) if text)
            gold = frozenset([row["gold_snippet_id"]])
            asked.append(Question(row["utterance_id"], row["question"], before, gold))
    return articles, asked


SETS: dict[str, Callable[[Path], tuple[list[Article], list[Question]]]] = {
    "doc2dial": doc2dial,
    "stackfaq": stackfaq,
    "or-sharc": sharc,
    "dstc10-faq": dstc10,
}


class Cached:
    """`encode` that keeps its vectors in a file, so that a second run costs minutes less."""

    def __init__(self, path: Path, encode: Callable[[Sequence[str]], np.ndarray]) -> None:
        self._path, self._encode, self._new = path, encode, False
        self._known: dict[str, np.ndarray] = {}
        if path.is_file():
            with np.load(path) as file:
                self._known = dict(zip(json.loads(file["texts"].tobytes()), file["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, self._encode(missing), strict=True))
            self._new = True
        found = [self._known[text] for text in texts]
        return np.stack(found).astype(np.float32) if found else np.empty((0, 384), np.float32)

    def save(self) -> None:
        if self._new:
            texts = np.frombuffer(json.dumps(list(self._known)).encode(), np.uint8)
            np.savez(self._path, texts=texts, vectors=np.stack(list(self._known.values())))


def of_half(questions: Sequence[Question], name: str, half: str) -> list[Question]:
    if half == "all" or name not in SPLIT:
        return list(questions)
    tune = [zlib.crc32(question.dialogue.encode()) % 2 == 0 for question in questions]
    return [question for question, own in zip(questions, tune, strict=True) if own == (half == "tune")]


def plain(text: str) -> str:
    return " ".join(text.lower().split())


class Bench:
    """One set with its index and the passages in order."""

    def __init__(self, name: str, articles: Sequence[Article], encode: Callable[[Sequence[str]], np.ndarray]) -> None:
        self.name, self.encode = name, encode
        self.index = KnowledgeIndex.build(articles, encode, encoder_id="bench")
        self.passages = [self.index.passage(number) for number in range(len(self.index))]
        self.texts = [plain(passage.text) for passage in self.passages]
        self.words = [stems(f"{one.title} {one.heading} {one.text}") for one in self.passages]
        self.number = {article.id: number for number, article in enumerate(articles)}
        self.peer = bm25s.BM25(method="lucene")
        self.peer.index(self.words, show_progress=False)

    def gold(self, question: Question) -> set[int]:
        """Numbers of the right passages. A short span such as "Yes" counts in its own article only."""
        own = {number for number, one in enumerate(self.passages) if one.article in question.gold}
        if not question.spans:
            return own
        spans = [plain(span) for span in question.spans]
        right = {
            number
            for number, text in enumerate(self.texts)
            for span in spans
            if span in text and (number in own or len(span.split()) >= 6)
        }
        return right or {self._closest(own, " ".join(question.spans))}

    def _closest(self, own: set[int], text: str) -> int:
        """A span that is cut by a passage's end: the passage with most of its words."""
        wanted = set(stems(text))
        return max(own, key=lambda number: len(wanted & set(self.words[number])))

    def dense(self, vector: np.ndarray) -> np.ndarray:
        scores = np.full(len(self.passages), -1.0)
        for segment in self.index.segments:
            np.maximum.at(scores, segment.passage_of, segment.vectors @ vector)
        return scores

    def bm25(self, words: Sequence[str]) -> np.ndarray:
        known = [word for word in words if word in self.peer.vocab_dict]
        return self.peer.get_scores(known) if known else np.zeros(len(self.passages))

    def ranks(self, questions: Sequence[Question]) -> dict[str, list[int]]:
        """method -> the place of the first right passage of each question, 0 is the first."""
        found: dict[str, list[int]] = {}
        for question in questions:
            gold = self.gold(question)
            vector = self.encode([question.text])[0]
            joined = self.encode([" ".join([question.text, *question.history[::-1][:6]])])[0]
            words, all_words = stems(question.text), stems(" ".join([question.text, *question.history]))
            dense, history = self.dense(vector), self.dense(joined)
            lexical, lexical_history = self.bm25(words), self.bm25(all_words)
            for label, scores in (
                ("dense, question alone", dense),
                ("dense, question and history in one text", history),
                ("bm25s, question alone", lexical),
                ("bm25s, question and history", lexical_history),
                ("RRF of the two with history", rrf(history, lexical_history)),
            ):
                order = np.argsort(-scores, kind="stable").tolist()
                found.setdefault(label, []).append(next(place for place, one in enumerate(order) if one in gold))
            ours = self.index.find(vector, Asked(question.text, question.history)).numbers.tolist()
            place = next((place for place, one in enumerate(ours) if one in gold), len(self.passages))
            found.setdefault("deskhand", []).append(place)
        return found


def rrf(*scores: np.ndarray) -> np.ndarray:
    """Cormack et al. 2009."""
    total = np.zeros(len(scores[0]))
    for one in scores:
        place = np.empty(len(one))
        place[np.argsort(-one, kind="stable")] = np.arange(len(one))
        total += 1 / (RRF + 1 + place)
    return total


def decisions(bench: Bench, questions: Sequence[Question], threshold: float) -> dict[str, float]:
    """Shares of the questions that are answered with the right article there, and withheld with it withdrawn, together
    with every article that holds the same text."""
    answered, right, withheld, spent = 0, 0, 0, []
    for question in questions:
        vector, asked = bench.encode([question.text])[0], Asked(question.text, question.history)
        gold = bench.gold(question)
        start = time.perf_counter()
        found = bench.index.find(vector, asked)
        spent.append(1000 * (time.perf_counter() - start))
        if bench.index.relevance.p(features(found)[0], follows=asked.follows) >= threshold:
            answered += 1
            right += int(found.numbers[0]) in gold
        without = [bench.number[id] for id in {bench.passages[number].article for number in gold}]
        left = bench.index.find(vector, asked, without=without)
        sure = bench.index.relevance.p(features(left)[0], follows=asked.follows) if len(left.numbers) else 0.0
        withheld += sure < threshold
    count = len(questions)
    return {
        "answered, article there": answered / count,
        "of these right": right / max(1, answered),
        "withheld, article withdrawn": withheld / count,
        "ms a search (p50)": float(np.median(spent)),
    }


def tokens(text: str) -> list[str]:
    return [word for word in re.sub(r"[^\w\s]", " ", text.lower()).split() if word not in ("a", "an", "the")]


def f1(one: str, other: str) -> float:
    """Of words, as SQuAD counts them."""
    first, second = tokens(one), tokens(other)
    common = sum((Counter(first) & Counter(second)).values())
    return 2 * common / (len(first) + len(second)) if common else 0.0


def composed(bench: Bench, questions: Sequence[Question]) -> dict[str, float]:
    scores, words = [], []
    for question in questions:
        hits = bench.index.search(bench.encode([question.text])[0], Asked(question.text, question.history))
        reply = compose(question.text, hits)
        text = reply.text if reply else ""
        scores.append(f1(text, " ".join(question.spans)))
        words.append(len(text.split()))
    return {"span F1, nothing given": float(np.mean(scores)), "words": float(np.mean(words))}


def injections(data: Path, encode: Callable[[Sequence[str]], np.ndarray]) -> dict[str, Any]:
    """Attack success on the extractive path: replies that hold anything that no article says letter by letter. Attacks
    are the customer's messages, and stand at the end of the articles that are quoted, too."""
    attacks = [row for row in datasets.rows(data / "safety/prompt_injection.jsonl.gz")]
    texts = [str(row.get("text") or row.get("prompt") or "") for row in attacks]
    mails = list(datasets.rows(data / "safety/bipia_email_train.jsonl.gz"))
    articles = [
        Article(f"mail{n}", f"Mail {n}", f"{row['context']}\n\n{texts[n % len(texts)]}") for n, row in enumerate(mails)
    ]
    index = KnowledgeIndex.build(articles, encode, encoder_id="bench")
    foreign = obeyed = 0
    for text in [*texts, *(str(row["question"]) for row in mails)]:
        hits = index.search(encode([text])[0], text)
        reply = compose(text, hits)
        if reply is None:
            continue
        held = plain(" ".join(hit.text for hit in hits))
        foreign += any(plain(line) not in held for line in reply.text.split("\n") if line.strip())
        obeyed += not reply.passages
    return {"replies with words that no article has": foreign, "replies without a source": obeyed,
            "messages": len(texts) + len(mails)}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="SET", nargs="*", help=", ".join(SETS))
    parser.add_argument("--half", choices=("test", "tune", "all"), default="test")
    parser.add_argument("--threshold", type=float, default=0.5, help="P(relevant) from which a passage is quoted")
    parser.add_argument("--base", default="support", help="the encoder, as `encoder.base` of config/training.yml")
    parser.add_argument("--work", type=Path, default=None, help="keep encoder and vectors here")
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    data = (given.shared or datasets.shared_folder()) / "data"
    with TemporaryDirectory(prefix="retrieval-") as scratch:
        work = given.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        encode = Cached(work / f"vectors-{given.base}.npz", encoder(given.base, work))
        for name in given.names or SETS:
            articles, asked = SETS[name](data)
            bench = Bench(name, articles, encode)
            questions = of_half(asked, name, given.half)
            print(f"\n{name}: {len(articles)} articles, {len(bench.passages)} passages, {len(questions)} questions\n")
            print("| method | R@1 | R@5 | MRR@5 | MAP |\n| --- | ---: | ---: | ---: | ---: |")
            for label, ranks in bench.ranks(questions).items():
                place = np.array(ranks)
                mrr = float(np.mean(np.where(place < 5, 1 / (place + 1), 0)))
                cells = [f"{100 * float(np.mean(place < k)):.1f}" for k in (1, 5)]
                print(f"| {label} | {' | '.join(cells)} | {mrr:.3f} | {float(np.mean(1 / (place + 1))):.3f} |")
            facts = decisions(bench, questions, given.threshold)
            if name == "doc2dial":
                facts |= composed(bench, questions)
            print("\n" + "; ".join(f"{key}: {value:.3f}" for key, value in facts.items()))
            encode.save()
        if not given.names:
            print("\ninjections: " + "; ".join(f"{key}: {value}" for key, value in injections(data, encode).items()))
            encode.save()
    return 0


def encoder(base: str, work: Path) -> Callable[[Sequence[str]], np.ndarray]:
    from training.base import base_encoder
    from training.config import TrainingConfig

    recipe = TrainingConfig()
    return base_encoder(
        recipe.model_copy(update={"encoder": recipe.encoder.model_copy(update={"base": base})}), work
    ).encode


if __name__ == "__main__":
    sys.exit(main())
