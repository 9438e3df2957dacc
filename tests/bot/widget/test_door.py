"""The door with a real Redis behind it: pages, tokens, users, rates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from pydantic import ValidationError
from starlette.requests import HTTPConnection

from bot.config import RatesConfig, SiteConfig, WidgetConfig
from bot.stores.rates import Rates, TooMany
from bot.stores.redis import RedisStore, connect
from bot.widget.door import Claim, Door, fits, frame_ancestors
from bot.widget.tokens import Tokens
from retrieval.errors import NotAllowed, NotFound

TOKENS = Tokens("a secret of these tests", minutes=60)
SITES = {"shop": {"origins": ["https://shop.example"]}, "trade": {"origins": ["https://trade.example"]}}
pytestmark = pytest.mark.asyncio

MakeDoor = Callable[..., Door]


def visit(*, origin: str | None = None, address: str = "192.0.2.7") -> HTTPConnection:
    headers = [(b"host", b"desk.example")]
    if origin:
        headers.append((b"origin", origin.encode()))
    return HTTPConnection({"type": "http", "headers": headers, "client": (address, 4711)})


@pytest_asyncio.fixture
async def door(redis_url: str) -> AsyncIterator[MakeDoor]:
    with connect(redis_url) as client:
        client.flushall()
    store = RedisStore(redis_url)
    config = WidgetConfig.model_validate({"sites": SITES})
    yield lambda **rates: Door(config, RatesConfig(**rates), TOKENS, Rates(store))
    await store.close()


async def test_every_new_visitor_gets_a_conversation_that_nobody_can_guess(door: MakeDoor) -> None:
    here = door()
    ids = {(await here.open(visit(), "shop", None))[1].conversation for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id_) >= 24 for id_ in ids)


async def test_a_visitor_who_comes_back_finds_the_same_conversation(door: MakeDoor) -> None:
    here = door()
    token, session = await here.open(visit(), "shop", None)
    assert (await here.open(visit(), "shop", token))[1].conversation == session.conversation


async def test_a_forged_old_token_gets_a_new_conversation(door: MakeDoor) -> None:
    here = door()
    token, session = await here.open(visit(), "shop", None)
    assert (await here.open(visit(), "shop", token[:-2] + "xx"))[1].conversation != session.conversation


async def test_a_token_stolen_from_one_site_is_useless_on_another(door: MakeDoor) -> None:
    here = door()
    stolen, victim = await here.open(visit(origin="https://shop.example"), "shop", None)
    elsewhere = visit(origin="https://trade.example")
    with pytest.raises(NotAllowed, match="may not embed the site 'shop'"):
        here.admit(elsewhere, stolen)
    with pytest.raises(NotAllowed, match="may not embed the site 'shop'"):
        await here.open(elsewhere, "shop", stolen)
    _, begun = await here.open(elsewhere, "trade", stolen)
    assert (begun.site, begun.visitor == victim.visitor) == ("trade", False)


async def test_a_token_of_a_site_that_is_gone_opens_nothing(door: MakeDoor) -> None:
    token, _ = TOKENS.issue("closed", "victim")
    with pytest.raises(NotAllowed, match="the site 'closed' of this session token is gone"):
        door().admit(visit(), token)


async def test_an_unknown_site_key_is_named_with_the_cure(door: MakeDoor) -> None:
    with pytest.raises(NotFound, match=r"'nope'; copy the snippet"):
        await door().open(visit(), "nope", None)


@pytest.mark.parametrize("origin", [None, "https://shop.example", "https://desk.example"])
async def test_the_listed_sites_the_desk_itself_and_programs_may_embed_it(door: MakeDoor, origin: str | None) -> None:
    await door().open(visit(origin=origin), "shop", None)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null"]
)
async def test_any_other_site_is_refused_with_and_without_a_token(door: MakeDoor, origin: str) -> None:
    here = door()
    token, _ = await here.open(visit(), "shop", None)
    with pytest.raises(NotAllowed, match=r"channels\.widget\.sites\.shop\.origins"):
        await here.open(visit(origin=origin), "shop", None)
    with pytest.raises(NotAllowed, match="may not embed"):
        here.admit(visit(origin=origin), token)


async def test_a_star_stands_for_any_subdomain_and_for_nothing_else() -> None:
    assert fits("https://de.shop.example", "https://*.shop.example")
    for other in ("https://shop.example", "http://de.shop.example", "https://de.shop.example.evil.example", "null"):
        assert not fits(other, "https://*.shop.example")


async def test_what_may_embed_it_may_frame_it() -> None:
    assert frame_ancestors(SiteConfig(origins=("https://a.example",))) == "frame-ancestors 'self' https://a.example"


@pytest.mark.parametrize("bad", ["shop.example", "https://shop.example/", "https://a b", "ftp://x", "https://x;y"])
async def test_an_origin_that_no_browser_sends_is_a_mistake_of_the_configuration(bad: str) -> None:
    with pytest.raises(ValidationError, match="scheme and host"):
        SiteConfig(origins=(bad,))


async def test_a_user_whom_the_site_vouches_for_is_one_visitor_on_every_device(door: MakeDoor) -> None:
    here = door()
    claim = Claim(id="ada", traits={"plan": "pro"}, hmac=TOKENS.proof("shop", "ada"))
    (token, phone), (_, laptop) = [await here.open(visit(), "shop", None, claim) for _ in range(2)]
    assert phone.conversation == laptop.conversation
    assert phone.user is not None
    assert phone.user.traits == {"plan": "pro"}
    _, renewed = await here.open(visit(), "shop", token)
    assert (renewed.conversation, renewed.user) == (phone.conversation, phone.user), "renewing keeps the user"


@pytest.mark.parametrize("proof", ["", "0" * 64, TOKENS.proof("shop", "bob"), TOKENS.proof("trade", "ada"), "é"])
async def test_a_user_without_the_sites_own_proof_is_refused(door: MakeDoor, proof: str) -> None:
    with pytest.raises(NotAllowed, match="deskhand sites secret shop"):
        await door().open(visit(), "shop", None, Claim(id="ada", hmac=proof))


async def test_traits_are_short() -> None:
    with pytest.raises(ValidationError, match="traits are longer"):
        Claim(id="ada", traits={"note": "x" * 3000})


async def test_a_visitor_who_writes_too_much_waits_and_the_others_do_not(door: MakeDoor) -> None:
    here = door(visitor="2/minute")
    (_, busy), (_, calm) = [await here.open(visit(), "shop", None) for _ in range(2)]
    await here.count_message(visit(), busy)
    await here.count_message(visit(), busy)
    with pytest.raises(TooMany, match=r"more than 2 messages of one visitor in a minute \(rates.visitor\)") as refused:
        await here.count_message(visit(), busy)
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    await here.count_message(visit(), calm)


@pytest.mark.parametrize(("rate", "who"), [("address", "one address"), ("site", "one site")])
async def test_an_address_and_a_site_have_limits_of_their_own(door: MakeDoor, rate: str, who: str) -> None:
    here = door(**{rate: "1/minute"})
    (_, one), (_, two) = [await here.open(visit(), "shop", None) for _ in range(2)]
    await here.count_message(visit(), one)
    with pytest.raises(TooMany, match=who):
        await here.count_message(visit(), two)


async def test_servers_count_together(door: MakeDoor) -> None:
    one, two = door(sessions="2/minute"), door(sessions="2/minute")
    await one.open(visit(), "shop", None)
    await two.open(visit(), "shop", None)
    with pytest.raises(TooMany, match="more than 2 new sessions from one address"):
        await one.open(visit(), "shop", None)
    await one.open(visit(address="192.0.2.8"), "shop", None)


async def test_counting_is_not_written_to_disk(door: MakeDoor, redis_url: str) -> None:
    here = door()
    _, session = await here.open(visit(), "shop", None)
    with connect(redis_url) as client:
        before = client.info("persistence")["aof_current_size"]
        await here.count_message(visit(), session)
        assert client.info("persistence")["aof_current_size"] == before
