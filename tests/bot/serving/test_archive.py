"""Closed conversations become transcripts that training reads: redacted, each once, none lost."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from serving_desk import OPERATOR, Running, Server

from bot.archive import Archive, sessions, to_transcript
from bot.archiving import archive_once
from bot.events import BotSaid, Closed, Rated, Scored, UserSaid
from bot.redaction import Redactor
from bot.settings import Settings
from bot.stores.sql import Records
from bot.transcript import TranscriptFolder
from retrieval.errors import Unavailable

pytestmark = pytest.mark.asyncio


def archive_of(server: Server, *, idle_s: float = 3600, records: Records | None = None) -> Archive:
    return Archive(
        store=server.parts.store,
        records=records or server.parts.records,
        folder=TranscriptFolder(server.parts.settings.transcripts),
        redactor=Redactor(salt=b"salt"),
        idle_s=idle_s,
        keep_s=60,
    )


@asynccontextmanager
async def answered(serve: Running) -> AsyncIterator[Server]:
    """A question nobody knew, that Ada answered and closed."""
    async with serve() as server:
        await server.say("You can write to jo@example.org. Do you sell gift cards?", sender="+49 170 5550100")
        path = "/api/v1/conversations/+49 170 5550100"
        said = {"person": "Ada", "text": "Yes, from ten euros on."}
        await server.client.post(f"{path}/messages", json=said, headers=OPERATOR)
        await server.client.post(f"{path}/close", json={"resolved": True, "csat": 4}, headers=OPERATOR)
        yield server


async def test_what_a_person_answered_becomes_a_redacted_transcript(serve: Running) -> None:
    async with answered(serve) as server:
        report = await archive_of(server).run()
        assert (report.archived, report.written) == (1, 1)
        (transcript,) = TranscriptFolder(server.parts.settings.transcripts).read()
        assert [(turn.by, turn.text) for turn in transcript.turns] == [
            ("customer", "You can write to <EMAIL>. Do you sell gift cards?"),
            ("bot", server.parts.config.replies.unknown),
            ("agent", "Yes, from ten euros on."),
        ]
        outcome = transcript.outcome
        assert (outcome.resolved, outcome.csat, outcome.handed_off, outcome.reason) == (True, 4, True, "unknown")
        assert transcript.channel == "rest"
        assert transcript.turns[0].bundle == server.parts.engines.id
        (gap,) = server.parts.records.gaps()
        assert gap.text == "You can write to <EMAIL>. Do you sell gift cards?"
        for file in server.parts.settings.transcripts.iterdir():
            assert "example.org" not in file.read_text()
            assert "5550100" not in file.read_text()


async def test_the_names_of_people_who_joined_are_masked_too(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        said = {"person": "Ada Lovelace", "text": "Yes. Ask for Ada in the shop."}
        await server.client.post("/api/v1/conversations/u1/messages", json=said, headers=OPERATOR)
        await server.client.post("/api/v1/conversations/u1/close", json={}, headers=OPERATOR)
        await archive_of(server).run()
        (transcript,) = TranscriptFolder(server.parts.settings.transcripts).read()
        assert transcript.turns[-1].text == "Yes. Ask for <NAME> in the shop."


async def test_the_archive_run_masks_as_the_configuration_says_and_keeps_what_the_desk_publishes(
    serve: Running, settings: Settings
) -> None:
    (settings.config_dir / "deskhand.yml").write_text("redaction: {region: GB}")
    TranscriptFolder(settings.transcripts).publish(["help@shop.example.com"])
    async with serve() as server:
        await server.say("do you sell gift cards, my number is 07700 900123")
        said = {"person": "Ada", "text": "Yes, write to help@shop.example.com"}
        await server.client.post("/api/v1/conversations/u1/messages", json=said, headers=OPERATOR)
        await server.client.post("/api/v1/conversations/u1/close", json={}, headers=OPERATOR)
        old, young = [settings.files / "w-1" / folder / "zip.png" for folder in ("abcdefgh", "ijklmnop")]
        for file in (old, young):
            file.parent.mkdir(parents=True)
            file.write_bytes(b"x")
        os.utime(old, (0, 0))
        assert (await archive_once(settings)).written == 1
        assert (old.exists(), young.exists()) == (False, True)
        (transcript,) = TranscriptFolder(settings.transcripts).read()
        assert transcript.turns[0].text == "do you sell gift cards, my number is <PHONE>"
        assert transcript.turns[-1].text == "Yes, write to help@shop.example.com"


async def test_archiving_again_writes_nothing_new(serve: Running) -> None:
    async with answered(serve) as server:
        await archive_of(server).run()
        again = await archive_of(server).run()
        assert (again.archived, again.written) == (0, 0)


async def test_a_reopened_conversation_becomes_a_second_transcript_with_the_new_part_only(serve: Running) -> None:
    async with answered(serve) as server:
        await archive_of(server).run()
        for text in ("hello", "and do you sell hats"):
            await server.say(text, sender="+49 170 5550100")
        await server.client.post("/api/v1/conversations/+49 170 5550100/close", json={}, headers=OPERATOR)
        await archive_of(server).run()
        first, second = TranscriptFolder(server.parts.settings.transcripts).read()
        assert first.customer == second.customer
        assert [turn.text for turn in second.turns if turn.by == "customer"] == ["hello", "and do you sell hats"]


async def test_a_silent_conversation_is_archived_but_one_that_waits_for_a_person_stays(serve: Running) -> None:
    async with serve() as server:
        await server.say("hello", sender="silent")
        await server.say("do you sell gift cards", sender="waits")
        assert (await archive_of(server, idle_s=3600).run()).closed == 0
        report = await archive_of(server, idle_s=0).run()
        assert (report.closed, report.archived) == (1, 1)
        assert (await server.parts.store.read("silent")).mode == "closed"
        assert (await server.parts.store.read("waits")).mode == "waiting"


async def test_a_crash_between_sql_and_the_folder_loses_and_doubles_nothing(serve: Running) -> None:
    async with answered(serve) as server:

        class Crash(Records):
            def mark_written(self, rows: object) -> None:
                raise Unavailable("the machine went away")

        crashing = Crash(server.parts.settings.database)
        with pytest.raises(Unavailable):
            await archive_of(server, records=crashing).run()
        crashing.close()
        await archive_of(server).run()
        assert len(list(TranscriptFolder(server.parts.settings.transcripts).read())) == 1
        assert server.parts.records.unwritten() == []


async def test_a_rating_is_kept_with_the_answer_it_is_for(serve: Running) -> None:
    async with serve() as server:
        await server.say("hello")
        said = next(e for e in (await server.parts.store.read("u1")).events if isinstance(e, BotSaid))
        async with server.parts.store.turn("u1") as turn:
            turn.add(Rated(message_id=said.message_id, rating=-1, comment="call me at jo@example.org"), Closed())
            await turn.commit()
        await archive_of(server).run()
        (transcript,) = TranscriptFolder(server.parts.settings.transcripts).read()
        assert [turn.rating for turn in transcript.turns] == [None, -1]
        (rating,) = server.parts.records.ratings()
        assert (rating.rating, rating.comment) == (-1, "call me at <EMAIL>")


async def test_a_button_is_written_as_its_label(serve: Running) -> None:
    async with serve() as server:
        await server.say("/greet", metadata={"title": "Say hello"})
        await server.say("/greet")
        await server.client.post("/api/v1/conversations/u1/close", json={}, headers=OPERATOR)
        await archive_of(server).run()
        (transcript,) = TranscriptFolder(server.parts.settings.transcripts).read()
        assert [turn.text for turn in transcript.turns if turn.by == "customer"] == ["Say hello"]


async def test_a_session_ends_where_it_was_closed() -> None:
    said, closed = UserSaid(text="a", message_id="m"), Closed()
    events = [said, closed, said, said, closed, Rated(message_id="m", rating=1)]
    assert list(sessions(events, 0)) == [(0, 2), (2, 5), (5, 6)]
    assert list(sessions(events, 2)) == [(2, 5), (5, 6)]
    assert list(sessions(events, 6)) == []


async def test_the_customers_score_belongs_to_what_was_closed_and_the_last_one_counts() -> None:
    said, closed = UserSaid(text="a", message_id="m"), Closed(resolved=True)
    events = [said, closed, Scored(score=2), Scored(score=4), said, closed, Scored(score=1)]
    assert list(sessions(events, 0)) == [(0, 4), (4, 7)]
    assert list(sessions(events[:2], 0)) == [(0, 2)]
    outcome = to_transcript("c", events[0:4], ratings={}).outcome
    assert (outcome.resolved, outcome.csat) == (True, 4)
