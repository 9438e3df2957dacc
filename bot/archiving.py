"""One run of the archive with the places of the settings: what the worker and `deskhand archive run` do."""

from __future__ import annotations

from bot.archive import Archive, Report
from bot.config import Retention, load_config
from bot.files import file_store
from bot.masking import redactor_of
from bot.settings import Settings
from bot.stores.embedded import reachable
from bot.stores.redis import RedisStore
from bot.stores.sql import Records
from bot.transcript import TranscriptFolder
from bot.webhooks.relay import READER as WEBHOOKS
from bot.webhooks.relay import always


def _kept_s(retention: Retention) -> float:
    return retention.idle_hours * 3600 + retention.keep_days * 86400


async def archive_once(settings: Settings) -> Report:
    """Files of customers go when their conversations are gone from Redis. Raises Unavailable when Redis, SQL or the
    place of the files cannot be used."""
    config = load_config(settings.config_dir)
    records = Records(settings.database)
    with reachable(settings.redis_url, settings.redis_dir) as url:
        store = RedisStore(url, readers={WEBHOOKS: always})
        try:
            records.migrate()
            archive = Archive(
                store=store,
                records=records,
                folder=TranscriptFolder(settings.transcripts),
                redactor=redactor_of(config.redaction, settings),
                idle_s=config.retention.idle_hours * 3600,
                keep_s=config.retention.keep_days * 86400,
            )
            report = await archive.run()
            await file_store(settings.files_url, settings.files).sweep(_kept_s(config.retention))
            return report
        finally:
            await store.close()
            records.close()
