"""The queued work, done by a real worker in a process of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from serving_desk import OPERATOR, Running

from bot.settings import Settings
from bot.transcript import TranscriptFolder

pytestmark = pytest.mark.asyncio


def environment(settings: Settings) -> dict[str, str]:
    """In which a process of its own is one of this desk."""
    token = settings.operator_token.get_secret_value() if settings.operator_token else ""
    return {
        **os.environ,
        "DESKHAND_REDIS_URL": str(settings.redis_url),
        "DESKHAND_DATA_DIR": str(settings.data_dir),
        "DESKHAND_CONFIG_DIR": str(settings.config_dir),
        "DESKHAND_OPERATOR_TOKEN": token,
    }


async def work(settings: Settings) -> None:
    """`deskhand worker --burst`."""
    command = [sys.executable, "-m", "bot.cli", "worker", "--burst"]
    await asyncio.to_thread(subprocess.run, command, env=environment(settings), check=True, timeout=120)


async def test_the_archive_job_makes_transcripts_and_is_queued_once(serve: Running) -> None:
    async with serve() as server:
        await server.say("do you sell gift cards")
        await server.client.post("/api/v1/conversations/u1/close", json={"resolved": True}, headers=OPERATOR)
        first = await server.client.post("/api/v1/archive/runs", headers=OPERATOR)
        second = await server.client.post("/api/v1/archive/runs", headers=OPERATOR)
        assert first.json()["id"] == second.json()["id"], "one at a time"
        await work(server.parts.settings)
        job = server.parts.jobs.get(first.json()["id"])
        assert (job.status, job.result) == ("finished", {"closed": 0, "archived": 1, "written": 1})
        assert len(list(TranscriptFolder(server.parts.settings.transcripts).read())) == 1


@pytest.mark.slow
async def test_a_training_run_that_fails_says_why(serve: Running) -> None:
    async with serve() as server:
        queued = await server.client.post("/api/v1/training/runs", headers=OPERATOR)
        await work(server.parts.settings)
        answer = await server.client.get(f"/api/v1/training/runs/{queued.json()['id']}", headers=OPERATOR)
        run = answer.json()
        assert run["status"] == "failed"
        assert "no transcripts and no examples to learn from" in run["error"]
        assert run["ended_at"] is not None
