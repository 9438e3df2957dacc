"""A Rasa project served: its files as they are, a bundle trained on its examples, Rasa's API and channels enabled."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bot.domain import load_domain, nlu_examples
from bot.settings import Settings
from retrieval.bundle import Bundles
from training.config import TrainingConfig
from training.labelled import train_examples

sys.path.insert(0, str(Path(__file__).parents[1] / "dialogue"))

CHANNELS = "channels:\n  rasa_api: {enabled: true}\n  socketio: {enabled: true, session_persistence: true}\n"
TOKEN = "rasa-token"


def project_settings(project: Path, home: Path, redis_url: str, *, work: Path, **more: object) -> Settings:
    """The project is only read: links to its files stand beside our configuration. `work` keeps what
    was trained."""
    config = home / "config"
    config.mkdir(parents=True)
    for path in project.iterdir():
        if path.name not in ("endpoints.yml", "credentials.yml"):
            (config / path.name).symlink_to(path)
    (config / "deskhand.yml").write_text(CHANNELS)
    settings = Settings.build(data_dir=home / "data", config_dir=config, redis_url=redis_url, rasa_token=TOKEN, **more)
    kept = Bundles(work / "projects" / project.name)
    if not kept.ids():
        examples = nlu_examples(load_domain(config))
        train_examples(examples, config=TrainingConfig(), bundles=kept.root, work=work)
    shutil.copytree(kept.root, settings.bundles)
    Bundles(settings.bundles).promote(kept.ids()[0])
    return settings
