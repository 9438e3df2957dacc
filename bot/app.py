"""The server: its parts are made and wired here, once; the lifespan starts and stops them."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.routing import Route

from bot import api, health
from bot.accepted import Inbound
from bot.action_server import ActionServer
from bot.auth import Access, kept_secret, operator_token
from bot.body_limit import BodyLimit
from bot.channels import openai, platforms, rest, widget_routes
from bot.channels.deliver import READER, Deliveries, concerns
from bot.channels.hearing import Hearing
from bot.channels.platform import Channel
from bot.channels.socketio import Mounted, SocketIo
from bot.channels.widget import Channel as WidgetChannel
from bot.config import Config, load_config
from bot.domain import load_domain
from bot.engines import Engines
from bot.files import FileStore, file_store
from bot.handoff import Desk
from bot.jobs import Jobs
from bot.manager import Manager
from bot.metrics import Metrics
from bot.problem_schema import describe_problems
from bot.rasa_api import routes as rasa_api
from bot.rasa_api.access import Access as RasaAccess
from bot.rasa_api.service import Service as RasaService
from bot.reminders import Reminders
from bot.settings import Settings
from bot.shelf import KnowledgeShelf
from bot.stores.embedded import EmbeddedRedis
from bot.stores.hooks import Hooks
from bot.stores.keys import ApiKeys
from bot.stores.rates import Rates
from bot.stores.redis import RedisStore
from bot.stores.replays import Replays
from bot.stores.sql import Records
from bot.webhooks.relay import READER as WEBHOOKS
from bot.webhooks.relay import always
from bot.widget.links import Links
from bot.widget.tokens import site_tokens
from bot.writing import Writing
from retrieval.bundle import Bundles
from retrieval.errors import DeskhandError

if TYPE_CHECKING:
    from bot.channels.mcp import Door

log = structlog.get_logger()

VERSION = importlib.metadata.version("deskhand")
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Parts:
    """What the server is made of; `app.state.parts`. `embedded` is None when a Redis was given."""

    settings: Settings
    config: Config
    metrics: Metrics
    embedded: EmbeddedRedis | None
    store: RedisStore
    rates: Rates
    records: Records
    files: FileStore
    jobs: Jobs
    engines: Engines
    server: ActionServer | None
    manager: Manager
    reminders: Reminders
    channels: dict[str, Channel]
    deliveries: Deliveries
    inbound: Inbound

    @classmethod
    def build(cls, settings: Settings) -> Parts:
        """Nothing is started and nobody is asked yet. Raises BadInput for a mistake in the configuration."""
        config, domain, metrics = load_config(settings.config_dir), load_domain(settings.config_dir), Metrics()
        embedded = None if settings.redis_url else EmbeddedRedis(settings.redis_dir)
        url = settings.redis_url or (embedded.url if embedded else "")
        channels: dict[str, Channel] = {}
        store = RedisStore(url, readers={READER: partial(concerns, channels), WEBHOOKS: always})
        channels |= {one.name: one for one in platforms.enabled(config.channels, settings, metrics, Desk(store))}
        gpu = config.knowledge.device == "gpu"
        shelf = KnowledgeShelf(settings.config_dir / "knowledge", settings.knowledge, gpu=gpu)
        engines = Engines(Bundles(settings.bundles), shelf, metrics=metrics)
        server = ActionServer.of(settings, config.actions)
        manager = Manager(
            store=store,
            engines=engines,
            domain=domain,
            config=config,
            metrics=metrics,
            server=server,
            threads=settings.encode_threads,
            writing=Writing.build(config.knowledge.writer, key=settings.writer_key),
        )
        return cls(
            settings=settings,
            config=config,
            metrics=metrics,
            embedded=embedded,
            store=store,
            rates=Rates(store),
            records=Records(settings.database),
            files=file_store(settings.files_url, settings.files),
            jobs=Jobs(url, settings),
            engines=engines,
            server=server,
            manager=manager,
            reminders=Reminders(manager, metrics),
            channels=channels,
            deliveries=Deliveries(store, store.outbox(READER), channels, metrics),
            inbound=Inbound(store, manager, metrics),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises Unavailable when Redis or the database cannot be started or reached."""
        async with AsyncExitStack() as stack:
            if self.embedded:
                await asyncio.to_thread(self.embedded.start)
                stack.callback(self.embedded.stop)
            stack.push_async_callback(self.store.close)
            stack.callback(self.jobs.close)
            stack.callback(self.records.close)
            stack.callback(self.manager.close)
            if self.server:
                stack.push_async_callback(self.server.aclose)
            await asyncio.to_thread(self.records.migrate)
            await self.engines.start()
            stack.push_async_callback(self.engines.stop)
            await self.reminders.start()
            stack.push_async_callback(self.reminders.stop)
            if self.channels:
                self.deliveries.start()
                stack.push_async_callback(self.deliveries.stop)
            await self.inbound.start()
            stack.push_async_callback(self.inbound.stop)
            yield


def create_app(settings: Settings) -> FastAPI:
    """An app that can be started once. Raises BadInput for a mistake in the configuration."""
    parts = Parts.build(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with parts.running(), AsyncExitStack() as stack:
            if sockets:
                stack.push_async_callback(sockets.stop)
            if agents is not None:
                await stack.enter_async_context(agents.running())
            yield

    sockets = _sockets(parts)
    app = FastAPIOffline(title="Deskhand", version=VERSION, lifespan=lifespan, redoc_url=None)
    app.state.parts = parts
    describe_problems(app)
    config = parts.config
    files = int(config.channels.widget.files.megabytes * 1e6) + 4096
    larger = {
        "/widget/files": files,
        "/api/v1/files": files,
        "/api/v1/knowledge/files": (config.knowledge.upload_megabytes << 20) + 4096,
    }
    if config.channels.email.enabled:
        larger["/webhooks/email/"] = config.channels.email.body_bytes
    app.add_middleware(BodyLimit, most=config.limits.body_bytes, larger=larger)
    _errors(app, parts.metrics)
    if config.channels.rasa_api.enabled:
        allowed = rasa_access(settings, config.channels.rasa_api.jwt_method)
        app.include_router(rasa_api.router(RasaService(parts.manager), allowed, parts.jobs, version=VERSION))
    _service(app, parts)
    access = Access(operator_token(settings), ApiKeys(parts.records), parts.rates, config.rates.key)
    app.include_router(_api(parts, access))
    if config.channels.rest.enabled:
        app.include_router(rest.router(parts.manager))
    agents = _agents(parts, access) if config.channels.mcp.enabled else None
    if agents is not None:
        app.router.routes.append(Route("/mcp", agents))
    if config.channels.openai.enabled:
        app.include_router(openai.router(parts.manager, access))
    hearing = Hearing(parts.manager, message_chars=config.limits.message_chars, tell=parts.deliveries.tell)
    for channel in parts.channels.values():
        app.include_router(platforms.router(channel, hearing))
    if sockets:
        app.add_middleware(Mounted, path=config.channels.socketio.path, channel=sockets.app())
    if config.channels.widget.enabled:
        widget_routes.register(app, _widget(parts), access)
    return app


def _agents(parts: Parts, access: Access) -> Door:
    from bot.channels import mcp  # it costs 0.7 s of a start

    given = parts.engines, parts.manager.domain, parts.config
    write = mcp.writing(parts.manager, *given) if parts.config.channels.mcp.writes else None
    return mcp.Door(access, mcp.reading(*given), write)


def _widget(parts: Parts) -> WidgetChannel:
    config, settings = parts.config, parts.settings
    return WidgetChannel(
        parts.manager,
        config,
        site_tokens(settings, config.channels.widget),
        parts.rates,
        parts.files,
        Links(kept_secret(settings.data_dir / "widget-secret")),
    )


def _api(parts: Parts, access: Access) -> APIRouter:
    return api.router(
        access=access,
        replays=Replays(parts.store),
        desk=Desk(parts.store),
        manager=parts.manager,
        inbound=parts.inbound,
        records=parts.records,
        api_keys=ApiKeys(parts.records),
        engines=parts.engines,
        on_disk=Bundles(parts.settings.bundles),
        jobs=parts.jobs,
        settings=parts.settings,
        file_store=parts.files,
        file_rules=parts.config.channels.widget.files,
        outbox=parts.deliveries.outbox,
        hooks=Hooks(parts.records),
        webhooks_private=parts.settings.webhooks_private,
    )


def _sockets(parts: Parts) -> SocketIo | None:
    config, key = parts.config.channels.socketio, parts.settings.socketio_jwt_key
    return SocketIo(parts.manager, config, key.get_secret_value() if key else None) if config.enabled else None


def rasa_access(settings: Settings, method: str) -> RasaAccess:
    """Without a token or key of its own Rasa's API takes the operator's token: it shows every conversation."""
    token, key = settings.rasa_token, settings.rasa_jwt_key
    given = token.get_secret_value() if token else operator_token(settings)
    return RasaAccess(given, key.get_secret_value() if key else None, method)


def _service(app: FastAPI, parts: Parts) -> None:
    @app.get("/", include_in_schema=False)
    async def hello() -> PlainTextResponse:
        return PlainTextResponse(f"Hello from Deskhand {VERSION}. API: /docs, widget: /demo, health: /health/ready\n")

    @app.get("/version", tags=["service"])
    async def version() -> dict[str, str | None]:
        return {"version": VERSION, "bundle": parts.engines.id}

    @app.get("/health/live", tags=["service"])
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/health/ready", tags=["service"])
    async def ready() -> JSONResponse:
        """200 when every part works, else 503 with the parts that are down; `notes` are faults that do not stop it."""
        server = parts.manager.server
        url = str(server.url) if server else None
        state = await health.check(store=parts.store, records=parts.records, engines=parts.engines, actions_url=url)
        body = {"status": "ok" if state.ready else "down", "bundle": parts.engines.id, "parts": state.parts}
        return JSONResponse({**body, "notes": state.notes}, status_code=200 if state.ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(parts.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def _errors(app: FastAPI, metrics: Metrics) -> None:
    @app.exception_handler(DeskhandError)
    async def ours(request: Request, error: DeskhandError) -> JSONResponse:
        if error.status >= 500:
            metrics.errors.labels("request").inc()
            log.error("request failed", path=request.url.path, status=error.status, error=str(error))
        return problem(error.status, error.title, str(error), error.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {error.detail}"
        return problem(error.status_code, title, detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"pointer": _pointer(item["loc"]), "detail": item["msg"]} for item in error.errors()]
        wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        return problem(422, "Bad input", "; ".join(wrong), errors=errors)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        metrics.errors.labels("request").inc()
        log.error("request failed unexpectedly", path=request.url.path, exc_info=error)
        return problem(500, "Internal error", "something went wrong on our side; the server's log has the details")


def _pointer(place: Sequence[int | str]) -> str:
    """A JSON pointer into the body, or the name of a parameter."""
    where, *rest = place
    return "#/" + "/".join(str(part) for part in rest) if where == "body" else str(rest[0] if rest else where)


def problem(status: int, title: str, detail: str, headers: Any = None, **more: Any) -> JSONResponse:
    """RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, headers=headers, media_type=PROBLEM)
