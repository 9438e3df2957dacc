"""A `webhook.test` for one endpoint, on the way that everything takes."""

from __future__ import annotations

import secrets
import time

from bot.stores.hooks import Delivery, Endpoint, Hooks
from bot.webhooks.happenings import TEST, happening
from retrieval.errors import Conflict


def try_out(hooks: Hooks, endpoint: Endpoint) -> Delivery:
    """Queues it. Raises Conflict when the endpoint is disabled."""
    if endpoint.disabled_at is not None:
        raise Conflict(f"endpoint {endpoint.id} is disabled: {endpoint.disabled_because}; enable it first")
    told = happening(TEST, time.time(), {"endpoint": endpoint.id}, key=secrets.token_hex(8))
    hooks.put([told], only=endpoint)
    return next(one for one, _ in hooks.deliveries(endpoint.id, limit=20) if one.event_id == told.id)
