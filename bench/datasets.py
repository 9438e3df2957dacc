"""Public data sets in the project's own formats: `python bench/datasets.py NAME OUT_DIR [--shared DIR]`.

Reads `DIR/data` (default: $DESKHAND_SHARED, else `../shared` beside the repository) and writes JSONL files. Several
sets are for measuring only (see the README of each), so OUT_DIR belongs outside the repository.

Conversations: train.jsonl, test.jsonl (transcript/1). Intents: train.jsonl, test.jsonl. Induction: turns.jsonl,
test.jsonl. Knowledge: documents.jsonl, questions.jsonl.
"""

from __future__ import annotations

import argparse
import difflib
import gzip
import hashlib
import html
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.transcript import Transcript, Turn, encode, iso
from retrieval.errors import BadInput, DeskhandError, NotFound

Row = dict[str, Any]
Files = dict[str, list[Row]]

HELD_OUT = 0.1


def rows(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise NotFound(f"{path} is not there; give the folder that holds data/ with --shared or DESKHAND_SHARED")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file if line.strip())


def split_by_time(conversations: Sequence[Transcript]) -> Files:
    """The last tenth by start is the test part: what a desk meets after training."""
    ordered = sorted(conversations, key=lambda c: (c.started_at or "", c.id))
    cut = len(ordered) - round(HELD_OUT * len(ordered))
    return {"train": [encode(c) for c in ordered[:cut]], "test": [encode(c) for c in ordered[cut:]]}


def split_by_hash(conversations: Iterable[Transcript], *, seed: int = 0) -> Files:
    """A seeded tenth of whole conversations, for a set without times. Where one goes never depends on the others."""
    files: Files = {"train": [], "test": []}
    for conversation in conversations:
        digest = hashlib.sha256(f"{seed}:{conversation.id}".encode()).digest()
        held_out = int.from_bytes(digest[:8]) < HELD_OUT * 2**64
        files["test" if held_out else "train"].append(encode(conversation))
    return files


def star(data: Path) -> Files:
    """Agent turns keep their `action`, for scoring. API calls, their results and events are said to nobody."""
    return split_by_time([c for row in rows(data / "star/dialogues.jsonl.gz") if (c := _star_conversation(row)).turns])


def _star_conversation(row: Row) -> Transcript:
    said = [t for t in row["turns"] if t["speaker"] in ("customer", "agent") and t.get("text", "").strip()]
    turns = tuple(Turn(by=t["speaker"], text=t["text"], at=float(t["t"]), action=t.get("action")) for t in said)
    started = iso(float(said[0]["t"])) if said else None
    return Transcript(row["id"], source="star", channel="chat", language="en", started_at=started, turns=turns)


def twacs(data: Path) -> Files:
    """The gold intent of the few labelled conversations stands on their first customer turn."""
    conversations = (_twacs_conversation(row) for row in rows(data / "twacs/conversations.jsonl.gz"))
    return split_by_hash(c for c in conversations if c.turns)


def _twacs_conversation(row: Row) -> Transcript:
    turns: list[Turn] = []
    for turn in row["turns"]:
        text = unmask(turn["text"], agent=turn["speaker"] == "agent")
        if text:
            intent = row["intent"] if turn["speaker"] == "customer" and not turns else None
            turns.append(Turn(by=turn["speaker"], text=text, intent=intent))
    return Transcript(row["id"], source="twacs", channel="twitter", language="en", turns=tuple(turns))


_ADDRESSED = re.compile(r"^(?:[\s.,]*(?:__company__|__cust__|@\w+))+[\s.,]*")
_TRAILING = re.compile(r"(?:\s*(?:__company__|__cust__|@\d+))+\s*$")
_SIGNED = re.compile(r"\s*(?:[*^]\s?[A-Z]\w{0,11}|[/-]\s?[A-Z]{2,3})\.?\s*$")
_PART = re.compile(r"\s*\(?\b[1-9]/[1-9]\)?\s*$")


def unmask(text: str, *, agent: bool) -> str:
    """A tweet as plain chat: nobody addressed, no initials of the agent, no part count, masks as words."""
    text = _TRAILING.sub("", _ADDRESSED.sub("", html.unescape(text)))
    text = _PART.sub("", _SIGNED.sub("", text) if agent else text)
    text = re.sub(r"(?i)\b(the|an?|your|this|that)\s+__company__", r"\1 airline", text)
    text = text.replace("__company__", "the airline").replace("__cust__", "").replace("__email__", "<EMAIL>")
    return " ".join(re.sub(r"@\d+", "", text).split())


def banking77(data: Path, flag: str | None = None) -> Files:
    """Train on rows outside the published dev part (or on its 5- or 10-shot draw), test on dev."""
    all_rows = list(rows(data / "banking77/train.jsonl.gz"))
    train = [row for row in all_rows if (row[flag] if flag else not row["dev"])]
    return {"train": _intents(train), "test": _intents(row for row in all_rows if row["dev"])}


def clinc150(data: Path) -> Files:
    """Train on in-scope rows only; the test part is the validation part with its out-of-scope rows."""
    parts: dict[str, list[Row]] = {}
    for row in rows(data / "clinc150_oos/data_full_train_val.jsonl.gz"):
        parts.setdefault(row["split"], []).append(row)
    return {"train": _intents(parts["train"]), "test": _intents(parts["val"] + parts["oos_val"])}


def hint3(data: Path, version: str) -> Files:
    """Curekart: questions by bot builders, tested on real messages, half out of scope. v1 is what the paper scored."""
    part = {name: rows(data / f"hint3/{version}_curekart_{name}.jsonl.gz") for name in ("train", "test")}
    return {name: _intents(of) for name, of in part.items()}


def _intents(of: Iterable[Row]) -> list[Row]:
    unknown = {"oos", "NO_NODES_DETECTED"}
    return [{"text": row["text"], "intent": None if row["intent"] in unknown else row["intent"]} for row in of]


def dstc11(data: Path) -> Files:
    turns = rows(data / "dstc11_natcs/banking_intent_turns.jsonl.gz")
    return {
        "turns": [{key: row[key] for key in ("id", "dialogue", "text", "intent")} for row in turns],
        "test": _intents(rows(data / "dstc11_natcs/banking_test_utterances.jsonl.gz")),
    }


def stackfaq(data: Path) -> Files:
    """A thread is a document (title: its question, text: its answers); people's rephrasings are the questions."""
    files: Files = {"documents": [], "questions": []}
    for row in rows(data / "stackfaq/faqs.jsonl.gz"):
        answers = "\n\n".join(row["answers"])
        files["documents"].append({"id": row["faq_id"], "title": row["question"], "text": answers})
        asked = enumerate(row["queries"])
        files["questions"] += [_question(f"{row['faq_id']}/{i}", text, (), [row["faq_id"]]) for i, text in asked]
    return files


def dstc10(data: Path) -> Files:
    """Only turns that need the FAQ; a snippet's title starts with the place it is about."""
    documents = [
        {"id": row["doc_id"], "title": f"{row['entity'] or row['domain']}: {row['title']}", "text": row["text"]}
        for row in rows(data / "dstc10_faq/knowledge.jsonl.gz")
    ]
    asked = [row for row in rows(data / "dstc10_faq/val_dialogues.jsonl.gz") if row["needs_faq"]]
    questions = [_question(row["id"], row["turns"][-1]["text"], row["turns"][:-1], row["docs"]) for row in asked]
    return {"documents": documents, "questions": questions}


def doc2dial(data: Path) -> Files:
    documents = [
        {"id": row["doc_id"], "title": row["title"], "text": row["text"]}
        for row in rows(data / "doc2dial/documents.jsonl.gz")
    ]
    asked = rows(data / "doc2dial/questions.jsonl.gz")
    questions = [_question(row["qid"], row["question"], row["history"], [row["doc_id"]]) for row in asked]
    return {"documents": documents, "questions": questions}


def _question(name: str, text: str, history: Iterable[Mapping[str, Any]], gold: Sequence[str]) -> Row:
    """`context` holds the earlier turns, oldest first."""
    return {"id": name, "text": text, "context": [turn["text"] for turn in history], "gold": list(gold)}


SETS: dict[str, Callable[[Path], Files]] = {
    "star": star,
    "twacs": twacs,
    "banking77": banking77,
    "banking77-few5": lambda data: banking77(data, "few5"),
    "banking77-few10": lambda data: banking77(data, "few10"),
    "clinc150": clinc150,
    "hint3-curekart": lambda data: hint3(data, "v1"),
    "hint3-curekart-v2": lambda data: hint3(data, "v2"),
    "dstc11-banking": dstc11,
    "stackfaq": stackfaq,
    "dstc10-faq": dstc10,
    "doc2dial": doc2dial,
}


def shared_folder() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("DESKHAND_SHARED", beside))


def convert(name: str, out: Path, *, shared: Path) -> dict[str, int]:
    """Writes the files of one set into `out` and returns the rows of each; BadInput or NotFound when it cannot."""
    if name not in SETS:
        near = difflib.get_close_matches(name, SETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BadInput(f"unknown data set {name!r}; {hint}known: {', '.join(SETS)}")
    files = SETS[name](shared / "data")
    out.mkdir(parents=True, exist_ok=True)
    for part, content in files.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        (out / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    return {part: len(content) for part, content in files.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", help=", ".join(SETS))
    parser.add_argument("out", metavar="OUT_DIR", type=Path)
    parser.add_argument("--shared", type=Path, default=None, help="the folder that holds data/")
    given = parser.parse_args(argv)
    try:
        counts = convert(given.name, given.out, shared=given.shared or shared_folder())
    except DeskhandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for part, count in counts.items():
        print(f"{given.out / part}.jsonl: {count} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
