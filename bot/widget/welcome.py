"""What a session tells the widget: the desk's words in the customer's language, and what it may do. Pure."""

from __future__ import annotations

from bot.config import Config, SiteConfig, TextsConfig
from bot.widget.bodies import FilesAllowed, Opened
from bot.widget.tokens import Session


def welcome(config: Config, site: SiteConfig, session: Session, token: str, *, locale: str, at: float) -> Opened:
    """A language's words come first, then the site's, then those of `channels.widget`."""
    widget = config.channels.widget
    texts = _texts(widget.texts, locale)
    starters = texts.starters if texts.starters is not None else site.starters
    return Opened(
        token=token,
        conversation=session.conversation,
        expires_at=session.expires_at,
        name=texts.name or site.name or widget.name,
        greeting=texts.greeting or site.greeting or widget.greeting,
        starters=widget.starters if starters is None else starters,
        max_chars=config.limits.message_chars,
        away=not config.business_hours.open_at(at),
        away_text=texts.away or widget.away,
        back_at=config.business_hours.opens_at(at),
        csat=widget.csat,
        prechat=widget.prechat if texts.prechat is None else texts.prechat,
        files=_files(config),
        faces=widget.faces,
        strings=texts.strings,
    )


def _texts(texts: dict[str, TextsConfig], locale: str) -> TextsConfig:
    """Those of `de-AT`, else of `de`, else none."""
    return texts.get(locale) or texts.get(locale.split("-")[0]) or TextsConfig()


def _files(config: Config) -> FilesAllowed | None:
    files = config.channels.widget.files
    if not files.enabled:
        return None
    return FilesAllowed(accept=",".join(f".{name}" for name in files.types), bytes=int(files.megabytes * 1e6))
