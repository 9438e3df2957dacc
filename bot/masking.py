"""The redactor of this desk: what `deskhand.yml`, the data directory's secret and the published contacts say."""

from __future__ import annotations

from bot.auth import kept_secret
from bot.config import RedactionConfig
from bot.redaction import PATTERNS, Redactor
from bot.settings import Settings
from bot.transcript import TranscriptFolder


def redactor_of(config: RedactionConfig, settings: Settings, *, keep: bool = True) -> Redactor:
    """With `keep` false no secret is made, so pseudonyms hold for this run only."""
    salt = kept_secret(settings.data_dir / "pseudonym-salt") if keep else ""
    return Redactor(
        {**PATTERNS, **config.patterns},
        region=config.region,
        agents=config.agents,
        salt=salt.encode(),
        public=TranscriptFolder(settings.transcripts).public(),
    )
