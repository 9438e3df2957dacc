"""Bundles for the tests of serving, really trained: a small log, and an encoder that knows its words."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from bot.transcript import Transcript, Turn, iso
from retrieval.bundle import Bundles, new_id, write_manifest
from training.config import EncoderConfig, TrainingConfig
from training.run import train

RETURNS = ("how long do i have to return something", "You have 30 days.\n\nShoes must be unworn.")
SIXTY = "You have 60 days."

ASKED: Mapping[str, Sequence[str]] = {
    RETURNS[1]: (RETURNS[0], "how many days to return something", "until when can i return what i bought"),
    "The doors open at nine every morning.": (
        "when do the doors open",
        "what are your opening hours",
        "open on sunday",
    ),
    "Use the reset link on the login page.": ("i forgot my password", "i cannot log in", "reset my password now"),
    "Our trucks go to all countries of Europe.": (
        "norway delivery",
        "ship it to sweden",
        "is delivery abroad possible",
    ),
    "Wash it cold and dry it flat.": (
        "how to wash a jacket",
        "is the jacket machine washable",
        "washing a down jacket",
    ),
    "Pay by card or by invoice.": ("which cards do you accept", "pay by invoice", "payment methods please"),
}
EXAMPLES = (
    ("hello", "greet"),
    ("hello there", "greet"),
    ("good morning", "greet"),
    ("i want to talk to a person please", "talk_to_person"),
    ("let me talk to a person", "talk_to_person"),
    ("can i speak to somebody please", "talk_to_person"),
    ("where is my order", "order_status"),
    ("my order has not come", "order_status"),
    ("when does my order come", "order_status"),
)
CONVERSATIONS = 180
FIRST = 1_756_720_800.0


def texts() -> list[str]:
    """Every word that the encoder has to know."""
    asked = [text for answer, requests in ASKED.items() for text in (answer, *requests)]
    return [*asked, SIXTY, *(text for text, _ in EXAMPLES)]


def log(*, returns: str) -> list[Transcript]:
    """One request a conversation, an hour apart; `returns` is what agents say about sending things back."""
    kinds = {(returns if answer == RETURNS[1] else answer): requests for answer, requests in ASKED.items()}
    pairs = [(request, answer) for requests in zip(*kinds.values(), strict=True)
             for request, answer in zip(requests, kinds, strict=True)]  # fmt: skip
    made = []
    for number, (request, answer) in enumerate(islice(cycle(pairs), CONVERSATIONS)):
        at = FIRST + 3600 * number
        turns = (Turn("customer", request, at), Turn("agent", answer, at + 60))
        made.append(Transcript(f"t{number}", source="test", language="en", started_at=iso(at), turns=turns))
    return made


@dataclass(frozen=True)
class Trained:
    """Bundles by what they say about sending things back: in 30 days, in 60."""

    bundles: Bundles
    thirty: str
    sixty: str


def train_desk(encoder_for: Callable[[Iterable[str]], Path], home: Path) -> Trained:
    bundles = Bundles(home / "bundles")
    config = TrainingConfig(encoder=EncoderConfig(base=str(encoder_for(texts())), tune="never"))
    thirty, sixty = (
        train(
            config, log(returns=returns), bundles=bundles.root, work=home / "work", error_budget=0.2, examples=EXAMPLES
        )
        for returns in (RETURNS[1], SIXTY)
    )
    return Trained(bundles, thirty, sixty)


def that_fails_its_probe(bundles: Bundles) -> str:
    """A copy of the bundle in service, whole by its checksums, whose first probe records another intent."""
    current = bundles.current()
    assert current
    manifest = bundles.manifest(current)
    id_ = new_id("fails its probe")
    probes = ({**manifest.probes[0], "intent": "something_else"}, *manifest.probes[1:])
    with bundles.building(id_) as scratch:
        shutil.copytree(bundles.path(current), scratch, dirs_exist_ok=True)
        write_manifest(scratch, replace(manifest, id=id_, probes=probes))
    return id_
