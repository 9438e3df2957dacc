"""`/api/v1`: what integrators and the people of the desk call, with an API key or the operator's token."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from bot.accepted import Inbound
from bot.api import bundles, conversations, deliveries, explain, files, ingest, keys, knowledge, training, webhooks
from bot.api.route import ALL, described, route_class
from bot.auth import Access
from bot.config import FilesConfig
from bot.engines import Engines
from bot.files import FileStore
from bot.handoff import Desk
from bot.jobs import Jobs
from bot.manager import Manager
from bot.settings import Settings
from bot.stores.hooks import Hooks
from bot.stores.keys import ApiKeys
from bot.stores.outbox import Outbox
from bot.stores.replays import Replays
from bot.stores.sql import Records
from retrieval.bundle import Bundles


def router(
    *,
    access: Access,
    replays: Replays,
    desk: Desk,
    manager: Manager,
    inbound: Inbound,
    records: Records,
    api_keys: ApiKeys,
    engines: Engines,
    on_disk: Bundles,
    jobs: Jobs,
    settings: Settings,
    file_store: FileStore,
    file_rules: FilesConfig,
    outbox: Outbox,
    hooks: Hooks,
    webhooks_private: bool,
) -> APIRouter:
    routes = APIRouter(
        prefix="/api/v1", tags=["api v1"], dependencies=[Depends(described)], route_class=route_class(access, replays),
        responses=ALL,
    )  # fmt: skip
    conversations.add(routes, access, desk, manager, inbound, file_store)
    files.add(routes, access, desk, file_store, file_rules)
    training.add(routes, access, desk, records, engines, jobs)
    ingest.add(routes, access, engines, jobs, settings)
    knowledge.add(routes, access, engines, settings.config_dir / "knowledge")
    bundles.add(routes, access, on_disk, jobs)
    explain.add(routes, access, engines)
    keys.add(routes, access, api_keys)
    deliveries.add(routes, access, outbox)
    webhooks.add(routes, access, hooks, private=webhooks_private)
    return routes
