"""Which of the platforms' channels are enabled, made and put together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fastapi import APIRouter

from bot.channels.callback import Callback
from bot.channels.chatwoot import Chatwoot
from bot.channels.email import Email
from bot.channels.hearing import Hearing
from bot.channels.platform import Channel
from bot.channels.slack import Slack
from bot.channels.telegram import Telegram
from bot.channels.twilio import Twilio
from bot.channels.webhook import Webhook
from bot.channels.whatsapp import Whatsapp
from bot.config import Channels
from bot.handoff import Desk
from bot.metrics import Metrics
from bot.settings import Settings


def enabled(config: Channels, settings: Settings, metrics: Metrics, desk: Desk) -> Iterator[Channel]:
    """Raises BadInput naming what one of them needs and does not have."""
    if config.callback.enabled:
        yield Callback(config.callback)
    if config.chatwoot.enabled:
        yield Chatwoot(config.chatwoot, settings, desk)
    if config.email.enabled:
        yield Email(config.email, settings)
    if config.slack.enabled:
        yield Slack(config.slack, settings)
    if config.telegram.enabled:
        yield Telegram(config.telegram, settings)
    if config.twilio.enabled:
        yield Twilio(config.twilio, settings)
    if config.whatsapp.enabled:
        yield Whatsapp(config.whatsapp, settings, metrics)
    for name, hook in config.webhooks.items():
        yield Webhook(name, hook, settings)


def router(channel: Channel, hearing: Hearing) -> APIRouter:
    return channel.router(partial(hearing.hear, channel.name))
