"""Files of customers over HTTP: up with the session's token, down by a signed address or the operator's token."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response

from bot import files
from bot.api.route import ALL, described
from bot.auth import Access
from bot.channels.widget import ChannelOf, SessionOf
from bot.widget.bodies import Thread
from retrieval.errors import BadInput

router = APIRouter(prefix="/widget/files", tags=["widget"])
# A page that somebody sends must never run here, whatever a browser makes of it.
CLOSED = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox"


@router.post("")
async def upload(
    request: Request,
    channel: ChannelOf,
    session: SessionOf,
    name: Annotated[str, Query(max_length=300)],
    thread: Thread = 1,
) -> dict[str, Any]:
    """The body is the file itself. Answers its `id` for a message, and a `url` to show it."""
    config = channel.door.config.files
    if not config.enabled:
        raise BadInput("files are not taken here; describe in words what they show")
    await channel.door.count_message(request, session)
    data = await request.body()
    safe = files.check(name, data, types=config.types, most=int(config.megabytes * 1e6))
    conversation = channel.conversation(session, thread)
    stored = await files.keep(channel.files, conversation, safe, data)
    return {**vars(stored), "url": channel.links.sign(f"{conversation}/{stored.id}")}


@router.get("/{key:path}", response_class=Response)
async def download(channel: ChannelOf, key: str, until: int, signature: str) -> Response:
    """The file of a signed address, as events name it."""
    channel.links.check(key, until, signature)
    return _answer(key, await channel.files.get(key))


def operators(access: Access, store: files.FileStore) -> APIRouter:
    """`GET /api/v1/files/{conversation}/{id}`, the id as `metadata.files` of the message has it."""

    needs = [Depends(described), Depends(access.needs("conversations:read"))]
    routes = APIRouter(prefix="/api/v1", tags=["api v1"], dependencies=needs, responses=ALL)

    @routes.get("/files/{key:path}", response_class=Response)
    async def file(key: str) -> Response:
        """A file that a customer sent."""
        return _answer(key, await store.get(key))

    return routes


def _answer(key: str, data: bytes) -> Response:
    name = key.rpartition("/")[2]
    kind = files.kind_of(name)
    how = "inline" if kind and kind.shown else "attachment"
    headers = {
        "content-disposition": f"{how}; filename*=UTF-8''{quote(name)}",
        "content-security-policy": CLOSED,
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": "private, max-age=86400",
    }
    return Response(data, media_type=kind.type if kind else "application/octet-stream", headers=headers)
