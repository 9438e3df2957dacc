"""A part of `config/deskhand.yml`: unknown keys are errors, and nothing is changed after loading."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
