"""`deskhand serve` in a process of its own, with the small engine: a server that tests can kill.

    python run_server.py DATA CONFIG PORT
"""

from __future__ import annotations

import sys
from pathlib import Path

from serving_words import WordEngine

from bot import server
from bot.settings import Settings

data, config, port = sys.argv[1:]
settings = Settings.build(data_dir=Path(data), config_dir=Path(config), port=int(port), log_level="warning")
server.run(settings, load=WordEngine.load)  # type: ignore[arg-type]
