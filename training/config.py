"""One training recipe: `config/training.yml`, where every key is explained."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.strict_yaml import load_yaml


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderConfig(Section):
    base: str = "auto"
    layers: int | None = Field(default=None, ge=1, le=24)
    tune: Literal["auto", "never", "thorough"] = "auto"
    epochs: int = Field(default=1, ge=1, le=20)
    pairs: int = Field(default=1600, ge=64)
    batch: int = Field(default=32, ge=4, le=512)
    learning_rate: float = Field(default=3e-5, gt=0, lt=0.01)
    least_gain: float = Field(default=0.02, ge=0, le=1)


class MiningConfig(Section):
    similarity: float = Field(default=0.4, gt=0, lt=1)
    request_weight: float = Field(default=1.0, ge=0, le=5)
    most_answers: int = Field(default=600, ge=10)
    least_conversations: int = Field(default=2, ge=1)
    entities: dict[str, str] = Field(default_factory=dict)


class IntentConfig(Section):
    least: int = Field(default=5, ge=2)
    most: int = Field(default=200, ge=2)
    reply_weight: float = Field(default=0.7, ge=0, le=5)
    regularisation: float = Field(default=10.0, gt=0)
    domain_similarity: float = Field(default=0.75, gt=0, le=1)


class ContextConfig(Section):
    message: float = Field(default=1.0, gt=0)
    desk: float = Field(default=0.5, ge=0)
    customer: float = Field(default=0.25, ge=0)

    @property
    def weights(self) -> tuple[float, float, float]:
        return (self.message, self.desk, self.customer)


class PolicyConfig(Section):
    learn: Literal["auto", "never"] = "auto"
    steps: int = Field(default=1500, ge=1, le=100_000)


class GateConfig(Section):
    """Points are percentage points, shares are in [0, 1]."""

    min_recall_at_1: float = Field(default=0.1, ge=0, le=1, description="floor of recall@1")
    max_loss_points: float = Field(default=1.5, gt=0, description="loss of recall@1 that is tolerated at 1,000 cases")
    intent_min_cases: int = Field(default=20, ge=1, description="cases from which on a kind is judged on its own")
    intent_max_drop_points: float = Field(default=10.0, gt=0, description="drop of one kind that chance must explain")
    coverage_max_drop_points: float = Field(default=2.0, gt=0, description="tolerated drop of what is answered")
    max_p99_factor: float = Field(default=1.2, ge=1, description="how much slower the slowest hundredth may get")
    p99_grace_ms: float = Field(default=10.0, ge=0, description="slower by less than this is noise of the machine")
    seed: int = 0


class TrainingConfig(Section):
    seed: int = 13
    test_share: float = Field(default=0.1, ge=0, lt=0.5)
    encoder: EncoderConfig = EncoderConfig()
    mining: MiningConfig = MiningConfig()
    intents: IntentConfig = IntentConfig()
    context: ContextConfig = ContextConfig()
    policy: PolicyConfig = PolicyConfig()
    gate: GateConfig = GateConfig()

    def fingerprint(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_config(path: Path) -> TrainingConfig:
    """BadInput for unknown keys, with the nearest known one; the defaults when the file is not there."""
    return load_yaml(path, TrainingConfig)
