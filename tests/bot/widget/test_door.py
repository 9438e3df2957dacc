from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from bot.config import WidgetConfig
from bot.widget.door import Door, TooMany
from bot.widget.tokens import Tokens
from retrieval.errors import NotAllowed, NotFound

TOKENS = Tokens("a secret of these tests", hours=1)
pytestmark = pytest.mark.asyncio


def visit(*, origin: str | None = None, address: str = "192.0.2.7") -> HTTPConnection:
    headers = [(b"host", b"desk.example")]
    if origin:
        headers.append((b"origin", origin.encode()))
    return HTTPConnection({"type": "http", "headers": headers, "client": (address, 4711)})


def door(**config: object) -> Door:
    return Door(WidgetConfig.model_validate({"site_key": "shop", **config}), TOKENS)


async def test_every_new_visitor_gets_a_conversation_that_nobody_can_guess() -> None:
    here = door()
    ids = {(await here.open(visit(), "shop", None))[1].conversation for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id_) >= 24 for id_ in ids)


async def test_a_visitor_who_comes_back_finds_the_same_conversation() -> None:
    here = door()
    token, session = await here.open(visit(), "shop", None)
    assert (await here.open(visit(), "shop", token))[1].conversation == session.conversation


async def test_a_forged_old_token_gets_a_new_conversation() -> None:
    here = door()
    token, session = await here.open(visit(), "shop", None)
    assert (await here.open(visit(), "shop", token[:-2] + "xx"))[1].conversation != session.conversation


async def test_a_token_of_another_site_opens_nothing() -> None:
    stolen, session = TOKENS.issue("other", "w-victim")
    with pytest.raises(NotAllowed, match="belongs to the site 'other'"):
        door().admit(visit(), stolen)
    assert (await door().open(visit(), "shop", stolen))[1].conversation != session.conversation


async def test_an_unknown_site_key_is_named_with_the_cure() -> None:
    with pytest.raises(NotFound, match=r"'nope'; copy the snippet"):
        await door().open(visit(), "nope", None)


@pytest.mark.parametrize("origin", [None, "https://shop.example", "https://desk.example"])
async def test_the_listed_sites_the_desk_itself_and_programs_may_embed_it(origin: str | None) -> None:
    await door(origins=("https://shop.example",)).open(visit(origin=origin), "shop", None)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null"]
)
async def test_any_other_site_is_refused_with_and_without_a_token(origin: str) -> None:
    here = door(origins=("https://shop.example",))
    token, _ = await here.open(visit(), "shop", None)
    with pytest.raises(NotAllowed, match=r"add it to channels\.widget\.origins"):
        await here.open(visit(origin=origin), "shop", None)
    with pytest.raises(NotAllowed, match="may not embed"):
        here.admit(visit(origin=origin), token)


async def test_a_visitor_who_writes_too_much_waits_and_the_others_do_not() -> None:
    here = door(messages_per_minute=2)
    (_, busy), (_, calm) = [await here.open(visit(), "shop", None) for _ in range(2)]
    await here.count_message(busy)
    await here.count_message(busy)
    with pytest.raises(TooMany, match="wait a moment"):
        await here.count_message(busy)
    await here.count_message(calm)


async def test_an_address_that_opens_too_many_sessions_waits() -> None:
    here = door(sessions_per_minute=1)
    await here.open(visit(), "shop", None)
    with pytest.raises(TooMany, match="more than 1 sessions in a minute"):
        await here.open(visit(), "shop", None)
    await here.open(visit(address="192.0.2.8"), "shop", None)
