"""The routes of Rasa's HTTP API: they read the request, call `Service`, and shape the reply."""

from __future__ import annotations

import json
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from bot.action_server import RASA_VERSION
from bot.body_limit import read_json
from bot.channels.rest import render
from bot.jobs import Jobs
from bot.rasa_api.access import Access
from bot.rasa_api.failure import Failure, RasaRoute
from bot.rasa_api.parsing import as_luis, retrieval_intents
from bot.rasa_api.service import Service, folded, read_events, replaced
from bot.rasa_api.story import story
from bot.rasa_api.trackers import until as up_to
from bot.rasa_api.trackers import verbosity
from bot.steps import Candidates

Include = Annotated[str | None, Query(alias="include_events")]
Until = Annotated[float | None, Query(description="Seconds since the epoch: events after it do not count.")]


def router(service: Service, access: Access, jobs: Jobs, *, version: str) -> APIRouter:
    """`version` is ours; `/version` gives the version of Rasa whose API this is."""
    routes = APIRouter(tags=["rasa api"], route_class=RasaRoute)
    guarded = APIRouter(route_class=RasaRoute, dependencies=[Depends(access.check)])
    _open(routes, service, version)
    _model(guarded, service, jobs)
    _tracker(guarded, service)
    _doing(guarded, service)
    routes.include_router(guarded)
    return routes


def _open(routes: APIRouter, service: Service, version: str) -> None:
    @routes.get("/version")
    async def versions() -> dict[str, Any]:
        ours = {"deskhand": version, "bundle": service.model}
        return {"version": RASA_VERSION, "minimum_compatible_version": RASA_VERSION, **ours}


def _model(routes: APIRouter, service: Service, jobs: Jobs) -> None:
    @routes.get("/status")
    async def status() -> dict[str, Any]:
        """The bundle in service, and how many trainings run."""
        if service.model is None:
            raise Failure(
                409,
                "Conflict",
                "No agent loaded. To continue processing, a model of a trained agent needs to be loaded.",
            )
        running = [job for job in jobs.all("train") if job.status == "started"]
        return {"model_file": service.model, "model_id": service.model, "num_active_training_jobs": len(running)}

    @routes.post("/model/parse")
    async def parse(request: Request, emulation_mode: str | None = None) -> dict[str, Any]:
        """What a text means: intent, entities, ranking, response selector. Nothing is stored."""
        body = _object(await request.body())
        if emulation_mode is not None and emulation_mode.upper() != "LUIS":
            message = f"Invalid parameter value for 'emulation_mode'. {emulation_mode!r} is not emulated, only LUIS is."
            raise Failure(400, "BadRequest", message, parameter="emulation_mode", within="query")
        if not isinstance(body.get("text"), str):
            raise Failure(500, "ParsingError", "An unexpected error occurred. Error: 'text'")
        found = (await service.understand(body["text"])).shown
        return as_luis(found) if emulation_mode else found

    @routes.post("/model/predict")
    async def predict(request: Request, include_events: Include = None) -> dict[str, Any]:
        """What the bot would do after these events; of no conversation."""
        conversation = folded(_json(await request.body()))
        shown = verbosity(include_events)
        predicted = service.next_of(conversation, Candidates(), ranked=False)
        return {**predicted, "tracker": service.shown(conversation, shown)}

    @routes.get("/domain")
    async def domain(request: Request) -> Response:
        """As JSON, or with `Accept: application/x-yaml` as YAML."""
        accepted = request.headers.get("accept", "*/*")
        found = _domain(service)
        if any(kind in accepted for kind in ("application/json", "*/*")):
            return JSONResponse(found)
        if "yaml" in accepted:
            text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True)
            return Response(text, media_type="application/x-yaml")
        raise Failure(
            406, "NotAcceptable",
            'Invalid Accept header. Domain can be provided as json ("Accept: application/json") or yaml ("Accept: '
            'application/x-yaml"). Make sure you\'ve set the appropriate Accept header.',
        )  # fmt: skip

    @routes.post("/model/train")
    @routes.post("/model/test/stories")
    @routes.post("/model/test/intents")
    @routes.put("/model")
    @routes.delete("/model")
    async def elsewhere(request: Request) -> Response:
        """Not here: training, tests and bundles have commands and an API of their own."""
        cure = "POST /api/v1/training/runs trains, `deskhand test` tests, `deskhand bundles promote` changes the model"
        raise Failure(501, "NotImplemented", f"{request.method} {request.url.path} is not served; {cure}")


def _domain(service: Service) -> dict[str, Any]:
    raw = {key: value for key, value in service.domain.raw.items() if value not in ([], {})}
    retrieved = retrieval_intents(service.domain)
    intents = {(next(iter(one)) if isinstance(one, dict) else str(one)): one for one in raw.get("intents", [])}
    shown = [
        {name: {"used_entities": [], "is_retrieval_intent": True}} if name in retrieved else intents[name]
        for name in sorted(intents)
    ]
    named = raw.get("actions", [])
    actions = [*named, *(f"utter_{name}" for name in sorted(retrieved) if f"utter_{name}" not in named)]
    return {**raw, "intents": shown, **({"actions": actions} if actions else {})}


def _tracker(routes: APIRouter, service: Service) -> None:
    @routes.get("/conversations/{conversation_id:path}/tracker")
    async def read(conversation_id: str, include_events: Include = None, until: Until = None) -> dict[str, Any]:
        """The conversation; one that nobody knows is shown as just begun."""
        shown = verbosity(include_events)
        return service.shown(up_to(await service.read(conversation_id), until), shown)

    @routes.post("/conversations/{conversation_id:path}/tracker/events")
    async def append(conversation_id: str, request: Request, include_events: Include = None) -> dict[str, Any]:
        """Adds one event or a list of them."""
        events, shown = read_events(_json(await request.body())), verbosity(include_events)
        return service.shown(await service.write(conversation_id, lambda _: events), shown)

    @routes.put("/conversations/{conversation_id:path}/tracker/events")
    async def replace(conversation_id: str, request: Request, include_events: Include = None) -> dict[str, Any]:
        """These events instead of all before, which only `include_events=ALL` still shows."""
        events, shown = read_events(_json(await request.body())), verbosity(include_events)
        return service.shown(await service.write(conversation_id, lambda _: replaced(events)), shown)

    @routes.get("/conversations/{conversation_id:path}/story", response_class=PlainTextResponse)
    async def as_story(conversation_id: str, until: Until = None, all_sessions: bool = False) -> str:
        """The conversation as a story with the customer's words, in YAML."""
        return story(up_to(await service.read(conversation_id), until), all_sessions=all_sessions)

    @routes.post("/conversations/{conversation_id:path}/messages")
    async def log(conversation_id: str, request: Request, include_events: Include = None) -> dict[str, Any]:
        """Adds a message of the customer's; nobody answers it."""
        body, shown = _object(await request.body()), verbosity(include_events)
        sender = body.get("sender")
        if sender != "user":
            message = (
                "Currently, only user messages can be passed to this endpoint. Messages of sender "
                f"'{sender}' cannot be handled."
            )
            raise Failure(400, "BadRequest", message, parameter="sender", within="body")
        parsed = body.get("parse_data")
        conversation = await service.log(
            conversation_id, _text(body, "text"), parsed if isinstance(parsed, dict) else None
        )
        return service.shown(conversation, shown)


def _doing(routes: APIRouter, service: Service) -> None:
    @routes.post("/conversations/{conversation_id:path}/execute")
    async def execute(conversation_id: str, request: Request, include_events: Include = None) -> dict[str, Any]:
        """Runs one action; `messages` is what it said."""
        body, shown = _object(await request.body()), verbosity(include_events)
        if not body.get("name"):
            message = "Name of the action not provided in request body."
            raise Failure(400, "BadRequest", message, parameter="name", within="body")
        confidence = body.get("confidence")
        sure = float(confidence) if isinstance(confidence, int | float) else 1.0
        conversation, messages = await service.run(conversation_id, str(body["name"]), sure)
        return {"tracker": service.shown(conversation, shown), "messages": messages}

    @routes.post("/conversations/{conversation_id:path}/trigger_intent")
    async def trigger(conversation_id: str, request: Request, include_events: Include = None) -> dict[str, Any]:
        """An intent from outside, and what the bot says to it."""
        body, shown = _object(await request.body()), verbosity(include_events)
        if not body.get("name"):
            message = "Name of the intent not provided in request body."
            raise Failure(400, "BadRequest", message, parameter="name", within="body")
        replies = await service.trigger(conversation_id, str(body["name"]), _entities(body.get("entities")))
        messages = [message for said in replies.messages for message in render(conversation_id, said)]
        return {"tracker": service.shown(await service.read(conversation_id), shown), "messages": messages}

    @routes.post("/conversations/{conversation_id:path}/predict")
    async def predict(conversation_id: str, include_events: Include = None) -> dict[str, Any]:
        """What the bot would do next; nothing is done."""
        shown = verbosity(include_events)
        conversation, predicted = await service.predict(conversation_id)
        return {**predicted, "tracker": service.shown(conversation, shown)}


def _json(body: bytes) -> Any:
    return read_json(body) if body else None


def _object(body: bytes) -> dict[str, Any]:
    data = _json(body)
    if not isinstance(data, dict):
        raise Failure(400, "BadRequest", f"the body has to be a JSON object, not {json.dumps(data)[:60]}")
    return data


def _text(body: dict[str, Any], key: str) -> str:
    if not isinstance(body.get(key), str) or not body[key].strip():
        raise Failure(400, "BadRequest", f"{key!r} has to be some text", parameter=key, within="body")
    return str(body[key])


def _entities(given: Any) -> list[dict[str, Any]]:
    """`{"plant": "Orchid"}` or a list of `{"entity", "value"}`."""
    if isinstance(given, dict):
        return [{"entity": name, "value": value} for name, value in given.items()]
    return [one for one in given or [] if isinstance(one, dict) and "entity" in one]
