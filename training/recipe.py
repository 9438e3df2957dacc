"""Which encoder serves labelled messages is decided by the data: frozen, or tuned where that wins.

Some rows are held out by intent; the encoder is tuned on the others and kept only when it has more of the held-out rows
right than the frozen one. Few rows are then tuned on once more, all of them: there a sixth of the rows is worth more
than the time. What the head says of its own certainty always comes from rows that the encoder had not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.encoder import Encoder
from retrieval.types import Matrix
from training.base import no_tuning
from training.calibrate import Flags
from training.cluster import Labels
from training.config import TrainingConfig
from training.encoder import SentenceEncoder
from training.export import export
from training.finetune import finetune, recipe_for
from training.intent_head import HeldOut, head_of, held_out, plain_head
from training.spread import Spread
from training.stages import Report

LEAST_EACH = 8  # rows an intent, on average: below it a tuned encoder never beat a frozen one
LEAST_ROWS = 300
HELD, HELD_OF_FEW = 0.15, 0.25
MOST_HELD = 2000
FEW = 3000


@dataclass(frozen=True)
class Chosen:
    """Which encoder serves, why, and what was learned about certainty from rows that it had not seen."""

    directory: Path
    why: str
    held: HeldOut | None = None
    right: Flags | None = None
    """When it is tuned: which of the held-out rows it had right."""

    @property
    def tuned(self) -> bool:
        return self.right is not None


class Recipe:
    """Frozen or tuned, on one set of labelled rows."""

    def __init__(
        self,
        texts: Sequence[str],
        intent_of: Labels,
        labels: Sequence[str],
        config: TrainingConfig,
        work: Path,
        progress: Report,
        *,
        strange: Sequence[str] = (),
        unlabelled: Sequence[str] = (),
    ) -> None:
        """`strange` are texts out of scope, `unlabelled` those that intents spread to; neither is tuned on."""
        self.texts = texts
        self.intent_of = intent_of
        self.labels = labels
        self.config = config
        self.work = work
        self.progress = progress
        self.strange = strange
        self.unlabelled = unlabelled

    def between(self, base: Path) -> Chosen:
        """`base` is the exported frozen encoder."""
        if why := self._no_tuning():
            return Chosen(base, f"frozen: {why}")
        unseen = _held_by_intent(self.intent_of, seed=self.config.seed)
        before = self._spread(base)
        tuned = self._tuned(before.labelled, ~unseen, self.work / "tuned")
        after = self._spread(tuned)
        frozen_right, tuned_right = (self._right(spread, unseen) for spread in (before, after))
        shares = f"{frozen_right.mean():.1%} to {tuned_right.mean():.1%} of {unseen.sum()} held-out messages"
        if tuned_right.sum() <= frozen_right.sum():
            return Chosen(base, f"frozen: tuning changed the right intents from {shares}")
        outside = Encoder(tuned).encode(self.strange)
        held = held_out(
            after.labelled, self.intent_of, self.labels, strength=self._strength, seed=self.config.seed,
            unseen=unseen, strange=outside, spread=after if self.unlabelled else None,
        )  # fmt: skip
        if len(self.texts) <= FEW or self.config.encoder.tune == "thorough":
            tuned = self._tuned(before.labelled, np.ones(len(self.texts), bool), self.work / "tuned-on-all")
        return Chosen(tuned, f"tuned: it raised the right intents from {shares}", held, tuned_right)

    def _no_tuning(self) -> str | None:
        if why := no_tuning(self.config.encoder):
            return why
        rows = len(self.texts) - len(self.labels)
        if rows < LEAST_ROWS:
            return f"{rows} labelled messages, and tuning wants {LEAST_ROWS}"
        each = rows / len(self.labels)
        if each < LEAST_EACH:
            return f"{each:.1f} messages an intent, and tuning wants {LEAST_EACH}"
        return None

    @property
    def _strength(self) -> float:
        return self.config.intents.regularisation

    def _spread(self, directory: Path) -> Spread:
        encoder = Encoder(directory, cache=len(self.texts) + len(self.unlabelled) + 1)
        vectors = encoder.encode(self.texts), self.intent_of, encoder.encode(self.unlabelled)
        return Spread(*vectors, len(self.labels), self._strength)

    def _tuned(self, frozen: Matrix, rows: Flags, directory: Path) -> Path:
        """The exported encoder, tuned on `rows` (n,) from the head of the frozen vectors."""
        used: list[int] = np.flatnonzero(rows).tolist()
        tables = plain_head(frozen[used], self.intent_of[used], self.labels, strength=self._strength).tables
        settings = self.config.encoder
        thorough = settings.tune == "thorough"
        encoder = SentenceEncoder.load(settings.base)
        finetune(
            encoder,
            [self.texts[i] for i in used],
            self.intent_of[used],
            (tables.weight, np.maximum(tables.bias, -50)),
            recipe=recipe_for(len(used), len(self.labels), batch=settings.batch, thorough=thorough),
            seed=self.config.seed,
            progress=lambda done, total, loss: self.progress("tune", done, total, f"loss {loss:.3f}"),
        )
        export(encoder, directory)
        return directory

    def _right(self, spread: Spread, unseen: Flags) -> Flags:
        known = spread.examples(~unseen, rounds=1 if self.unlabelled else 0)
        head = head_of(known, self.labels, strength=self._strength)
        found = head.votes(spread.labelled[unseen]).mixed(1.0).argmax(1)
        return np.asarray(found == self.intent_of[unseen], bool)


def _held_by_intent(intent_of: Labels, *, seed: int) -> Flags:
    """A share of the rows of every intent, at most `MOST_HELD` in all, and never the last row of one. Of few rows it is
    larger, because a point is hard to see in a hundred rows, and because they are all tuned on in the end."""
    rng = np.random.default_rng(seed)
    share = min(HELD_OF_FEW if len(intent_of) <= FEW else HELD, MOST_HELD / len(intent_of))
    held = np.zeros(len(intent_of), bool)
    for intent in np.unique(intent_of):
        rows = rng.permutation(np.flatnonzero(intent_of == intent))
        held[rows[: min(len(rows) - 1, int(share * len(rows) + rng.random()))]] = True
    return held
