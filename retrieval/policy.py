"""The learned dialogue policy: what the desk does next, from what was said and done. Numpy only; fitted in training.

A moment of a dialogue is a set of tokens (intent, entities, slots, form, the latest actions) and the encoded message.
The network has one hidden layer; what its softmax is worth says the threshold, which comes from held-out dialogues.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from retrieval.errors import BadBundle
from retrieval.types import Matrix, Vector

LOOK_BACK = 4
ARRAYS, NAMES = "policy.safetensors", "policy.json"
WEIGHTS = ("hidden", "hidden_bias", "output", "output_bias")
NEVER = 1.01
"""A threshold that nothing reaches: the policy was not good enough on dialogues it had not seen."""


@dataclass(frozen=True)
class Happened:
    """A customer message (`said`; `name` is its intent, "" for none) or an action."""

    said: bool
    name: str


@dataclass(frozen=True)
class Moment:
    """What a policy sees. `facts` hold now (`entity:city`, `slot:cuisine`, `form:booking`), `happened` is in order."""

    happened: Sequence[Happened]
    facts: Collection[str] = ()
    text: str = ""

    def tokens(self) -> list[str]:
        """The latest events by their place, the latest intents and actions in order, and all that was done before."""
        latest = [f"{'said' if one.said else 'did'}:{one.name}" for one in self.happened]
        tokens = [f"{back}/{token}" for back, token in enumerate(reversed(latest[-LOOK_BACK:]), 1)]
        said = [one.name for one in self.happened if one.said and one.name]
        done = [one.name for one in self.happened if not one.said]
        tokens += [f"said{back}:{name}" for back, name in enumerate(reversed(said[-3:]), 1)]
        tokens += [f"did{back}:{name}" for back, name in enumerate(reversed(done[-3:]), 1)]
        tokens += [f"done:{name}" for name in sorted(set(done))]
        steps = next((back for back, one in enumerate(reversed(self.happened)) if one.said), len(self.happened))
        return [*tokens, f"steps:{min(steps, 5)}", *sorted(self.facts)]


@dataclass(frozen=True)
class Example:
    """A moment of a dialogue and what was done then."""

    moment: Moment
    action: str


@dataclass(frozen=True)
class LearnedPolicy:
    """`threshold` is the probability from which on it may act by itself; `NEVER` when it may not."""

    actions: tuple[str, ...]
    vocabulary: tuple[str, ...]
    hidden: Matrix
    hidden_bias: Vector
    output: Matrix
    output_bias: Vector
    threshold: float = NEVER
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: place for place, token in enumerate(self.vocabulary)}

    def predict(self, moment: Moment, vector: Vector | None) -> list[tuple[str, float]]:
        """(action, probability), best first. `vector` is the encoded message, None when it has no words of its own."""
        words = np.zeros(len(self.hidden) - len(self.vocabulary), np.float32) if vector is None else vector
        places = [self._places[token] for token in moment.tokens() if token in self._places]
        seen = self.hidden[places].sum(axis=0) + words @ self.hidden[len(self.vocabulary) :] + self.hidden_bias
        shares = _softmax(np.maximum(seen, 0) @ self.output + self.output_bias)
        return [(self.actions[i], float(shares[i])) for i in np.argsort(-shares, kind="stable")]

    def save(self, directory: Path) -> None:
        arrays = {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in WEIGHTS}
        save_file(arrays, directory / ARRAYS)
        said = {name: getattr(self, name) for name in ("actions", "vocabulary", "threshold", "facts")}
        (directory / NAMES).write_text(json.dumps(said, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, directory: Path) -> LearnedPolicy | None:
        """None when the bundle carries no policy. Raises BadBundle when what it carries cannot be one."""
        if not (directory / NAMES).is_file():
            return None
        try:
            said = json.loads((directory / NAMES).read_text("utf-8"))
            arrays = load_file(directory / ARRAYS)
            hidden, hidden_bias, output, output_bias = (arrays[name] for name in WEIGHTS)
            policy = cls(
                tuple(said["actions"]), tuple(said["vocabulary"]), hidden, hidden_bias, output, output_bias,
                float(said["threshold"]), dict(said["facts"]),
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"the policy of {directory.name} cannot be read: {error}"
            raise BadBundle(f"{what}; train again or roll back") from error
        if len(policy.hidden) < len(policy.vocabulary) or policy.output.shape[1] != len(policy.actions):
            raise BadBundle(f"the policy of {directory.name} does not fit its names; train again or roll back")
        return policy


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return shares
