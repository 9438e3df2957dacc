"""What conversations teach: answers with the requests that lead to them, and intents that nobody labelled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.answers import encode_requests
from retrieval.errors import BadInput
from retrieval.types import Matrix
from training.acts import Acts, sentences
from training.answers import Answer, answers, group, replaced, replies
from training.cluster import Labels, centroids, fallen_into, means_of
from training.config import TrainingConfig
from training.delex import delexicalise
from training.intents import NOISE, UNSORTED, grouped, name_groups
from training.pairs import Pair
from training.taught import apart

if TYPE_CHECKING:
    from retrieval.engine import Engine

Encode = Callable[[Sequence[str]], Matrix]

LEAST_PAIRS = 8
PLACE_WEIGHTS = (1.0, 1.0, 0.5)
SHORTEST, LONGEST = 3, 80


@dataclass(frozen=True)
class Mined:
    """`answer_of` (n,) is the answer's number of each pair; `intent_of` (n,) that of its intent, -1 for no request.

    `keys` (n,) are the delexicalised replies. An answer that a newer one replaced is gone.
    """

    answers: tuple[Answer, ...]
    answer_of: Labels
    intents: tuple[str, ...]
    intent_of: Labels
    keys: tuple[str, ...]

    def save(self, directory: Path) -> None:
        np.savez(directory / "mined.npz", answer_of=self.answer_of, intent_of=self.intent_of)
        table = {"answers": [asdict(answer) for answer in self.answers], "intents": self.intents, "keys": self.keys}
        (directory / "mined.json").write_text(json.dumps(table, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, directory: Path) -> Mined:
        table = json.loads((directory / "mined.json").read_text("utf-8"))
        arrays = np.load(directory / "mined.npz", allow_pickle=False)
        made = tuple(
            Answer(**{**row, "slots": tuple(row["slots"]), "turns": tuple((c, t) for c, t in row["turns"])})
            for row in table["answers"]
        )
        return cls(made, arrays["answer_of"], tuple(table["intents"]), arrays["intent_of"], tuple(table["keys"]))


def mine(
    pairs: Sequence[Pair], encode: Encode, config: TrainingConfig, *, examples: Sequence[tuple[str, str]] = ()
) -> Mined:
    """`examples` are (text, intent) of nlu.yml: a group of requests that is close to one of them takes its name."""
    if len(pairs) < LEAST_PAIRS:
        raise BadInput(
            f"only {len(pairs)} customer messages were answered by an agent; at least {LEAST_PAIRS} are needed to "
            "learn from. Import conversations with both sides (`deskhand transcripts import`)"
        )
    if len({pair.text for pair in pairs}) < LEAST_PAIRS:
        raise BadInput(
            f"the {len(pairs)} answered messages have only {len({pair.text for pair in pairs})} different texts, so "
            "there is nothing to tell apart; import real conversations"
        )
    acts = Acts(encode)
    found = replies(pairs, acts)
    requests = encode([pair.text for pair in pairs])
    placed = encode_requests(encode, [pair.text for pair in pairs], [pair.context for pair in pairs], PLACE_WEIGHTS)
    mining = config.mining
    answer_of, conflicts = group(
        found, encode, similarity=mining.similarity, most=mining.most_answers, seed=config.seed, requests=placed,
        weight=mining.request_weight,
    )  # fmt: skip
    keys = encode([reply.key for reply in found])
    answer_of = apart(answer_of, pairs, requests, keys)
    made = answers(found, answer_of, keys, least=mining.least_conversations)
    made, answer_of = _without_replaced(made, answer_of, replaced(found, answer_of, conflicts))
    names, intent_of = _intents(pairs, requests, keys, acts, config, examples, encode)
    return Mined(tuple(made), answer_of, tuple(names), intent_of, tuple(reply.key for reply in found))


def _without_replaced(made: list[Answer], answer_of: Labels, gone: dict[int, int]) -> tuple[list[Answer], Labels]:
    """Drop replaced answers; their requests now lead to the answer that took their place."""
    if not gone:
        return made, answer_of

    def final(label: int) -> int:
        while label in gone:
            label = gone[label]
        return label

    kept = [label for label in range(len(made)) if label not in gone]
    number = {label: i for i, label in enumerate(kept)}
    return [made[label] for label in kept], np.array([number[final(x)] for x in answer_of.tolist()], np.int64)


def _intents(
    pairs: Sequence[Pair],
    requests: Matrix,
    keys: Matrix,
    acts: Acts,
    config: TrainingConfig,
    examples: Sequence[tuple[str, str]],
    encode: Encode,
) -> tuple[list[str], Labels]:
    """Names and the intent of each pair, -1 for no request and for what is like no other; domain intents first, then
    induced ones, largest first."""
    rows = np.array(_requests(pairs, acts), np.int64)
    names = list(dict.fromkeys(intent for _, intent in examples))
    intent_of = np.full(len(pairs), -1, np.int64)
    if len(rows) < max(LEAST_PAIRS, config.intents.least):
        return names, intent_of
    texts = [delexicalise(pairs[i].text) for i in rows]
    both = np.hstack([requests[rows], np.float32(config.intents.reply_weight) * keys[rows]])
    labels = grouped(both, least=config.intents.least, most=config.intents.most, seed=config.seed)
    sorted_ = labels != NOISE
    groups = int(labels.max()) + 1
    middle = means_of(requests[rows][sorted_], labels[sorted_], groups) if groups else requests[:0]
    close = _domain_intents(middle, examples, names, encode, config)
    induced = [label for label in range(groups) if label not in close]
    called = name_groups(texts, labels)
    number = {NOISE: -1, **close, **{label: len(names) + i for i, label in enumerate(induced)}}
    intent_of[rows] = [number[label] for label in labels.tolist()]
    taken = set(names)
    return names + [name if (name := called[i]) not in taken else f"{name}_request" for i in induced], intent_of


def _requests(pairs: Sequence[Pair], acts: Acts) -> list[int]:
    """Pairs whose message asks or states something by itself: no small talk, no reply to a question of the desk."""
    parts = [sentences(pair.text) for pair in pairs]
    last = [(sentences(pair.desk) or [""])[-1] for pair in pairs]
    flat = [sentence for part in parts for sentence in part] + last
    act = dict(zip(flat, acts.of(flat), strict=True))
    return [
        row
        for row, (pair, part) in enumerate(zip(pairs, parts, strict=True))
        if SHORTEST <= len(pair.text.split()) <= LONGEST
        and any(act[sentence] == "content" for sentence in part)
        and not (last[row].endswith("?") and act[last[row]] == "content")
    ]


def _domain_intents(
    middle: Matrix, examples: Sequence[tuple[str, str]], names: Sequence[str], encode: Encode, config: TrainingConfig
) -> dict[int, int]:
    """Induced group -> number of the domain intent that it is close to."""
    if not examples:
        return {}
    vectors = encode([text for text, _ in examples])
    labels = np.array([names.index(intent) for _, intent in examples], np.int64)
    similar = middle @ centroids(vectors, labels).T
    best = similar.argmax(1)
    return {
        group: int(best[group])
        for group in range(len(middle))
        if similar[group, best[group]] >= config.intents.domain_similarity
    }


def induce(texts: Sequence[str], encode: Encode, config: TrainingConfig) -> list[str]:
    """A readable name of the induced intent for each text, `UNSORTED` for what is like no other."""
    if len(set(texts)) < 2:
        raise BadInput(f"{len(texts)} rows have {len(set(texts))} different text; induction needs at least two")
    vectors = encode([delexicalise(text) for text in texts])
    labels = grouped(vectors, least=config.intents.least, most=config.intents.most, seed=config.seed)
    names = name_groups(texts, labels)
    return [UNSORTED if label == NOISE else names[label] for label in labels.tolist()]


def assign(said: Sequence[str], engine: Engine) -> list[str | None]:
    """The answer of `engine` that each agent reply amounts to, None when it is like none of them."""
    if engine.answers is None or not said:
        return [None] * len(said)
    acts = Acts(engine.encode)
    parts = [sentences(text) for text in said]
    flat = [sentence for part in parts for sentence in part]
    act = dict(zip(flat, acts.of(flat), strict=True))
    kept = [" ".join(s for s in part if act[s] == "content") or text for part, text in zip(parts, said, strict=True)]
    found = fallen_into(engine.encode([delexicalise(text) for text in kept]), engine.answers.replies)
    return [engine.table[i]["answer"] if i >= 0 else None for i in found.tolist()]


def intent_of_answers(mined: Mined) -> list[str | None]:
    """The intent that most requests of each answer have."""
    counts: list[Counter[int]] = [Counter() for _ in mined.answers]
    for answer, intent in zip(mined.answer_of.tolist(), mined.intent_of.tolist(), strict=True):
        if intent >= 0:
            counts[answer][intent] += 1
    return [mined.intents[count.most_common(1)[0][0]] if count else None for count in counts]
