"""The widget's channel over a WebSocket: one line for what the customer says and for what happens."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from bot.background import ended
from bot.body_limit import read_json
from bot.channels.widget import Channel, channel_of
from bot.widget.bodies import FRAMES, MOST_THREADS, AskedFrame, SaidFrame
from bot.widget.tokens import Session
from retrieval.errors import BadInput, DeskhandError, NotAllowed, Unavailable

HELLO_S = 10.0
EXPIRED, UNREADABLE, GONE = 4401, 1007, 1011

router = APIRouter(prefix="/widget", tags=["widget"])


@router.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """First frame in: `{"type": "hello", "token", "thread", "offset"}`. Then `messages`, `handoff` in, frames out."""
    await websocket.accept()
    channel = channel_of(websocket)
    with suppress(WebSocketDisconnect):
        try:
            async with asyncio.timeout(HELLO_S):
                hello = await _receive(websocket, channel.config.limits.body_bytes)
            session = channel.door.admit(websocket, str(hello.get("token", "")))
        except (NotAllowed, TimeoutError) as error:
            return await websocket.close(EXPIRED, str(error)[:120])
        except BadInput as error:
            return await websocket.close(UNREADABLE, str(error)[:120])
        thread, offset = _number(hello, "thread", 1, MOST_THREADS), _number(hello, "offset", 0, 2**53)
        pump = asyncio.create_task(_pump(websocket, channel, session, thread, offset))
        try:
            await _listen(websocket, channel, str(hello["token"]))
        finally:
            await ended(pump)


def _number(hello: dict[str, Any], name: str, least: int, most: int) -> int:
    value = hello.get(name)
    return min(max(value, least), most) if isinstance(value, int) else least


async def _pump(websocket: WebSocket, channel: Channel, session: Session, thread: int, offset: int) -> None:
    try:
        async with aclosing(channel.feed(session, thread, offset)) as frames:
            async for frame in frames:
                await websocket.send_json(frame)
    except (WebSocketDisconnect, RuntimeError):
        return  # the visitor has left; the listener ends by itself
    except Unavailable:
        await websocket.close(GONE, "the store is gone; come back with your offset")


async def _listen(websocket: WebSocket, channel: Channel, token: str) -> None:
    while True:
        id_ = None
        try:
            data = await _receive(websocket, channel.config.limits.body_bytes)
            id_ = data.get("id")
            session = channel.door.admit(websocket, token)  # again: a line may stay open longer than its token is good
            await channel.hear(websocket, session, _read(data))
        except NotAllowed as error:
            return await websocket.close(EXPIRED, str(error)[:120])
        except DeskhandError as error:
            await websocket.send_json({"type": "error", "id": id_, "status": error.status, "detail": str(error)})


async def _receive(websocket: WebSocket, most: int) -> dict[str, Any]:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None or len(text) > most:
        raise BadInput(f"a frame is text of at most {most:,} characters")
    data = read_json(text)
    if not isinstance(data, dict):
        raise BadInput(f"a frame is a JSON object, not {type(data).__name__}")
    return data


def _read(data: dict[str, Any]) -> SaidFrame | AskedFrame:
    try:
        return FRAMES.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc'])) or 'frame'}: {first['msg']}") from error
