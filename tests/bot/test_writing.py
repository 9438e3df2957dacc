from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bot.config import WriterConfig
from bot.writing import Writing
from retrieval.errors import BadInput
from retrieval.types import Passage
from tests.retrieval.web_server import Site, serving

PASSAGE = Passage("r#0", "r", "Returns", "", "You may return unworn boots within thirty days.", "", 0.9, 0.9)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("Unworn boots you may return within 30 days.", "Unworn boots you may return within 30 days."),
        ("You may return boots within 90 days.", "the articles' own words"),
    ],
)
@pytest.mark.asyncio
async def test_the_configured_writer_words_an_answer_or_leaves_it(site: Site, said: str, sent: str) -> None:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    data = json.dumps({**chunk, "choices": [{"index": 0, "delta": {"content": said}, "finish_reason": None}]})
    site.page("/v1/chat/completions", f"data: {data}\n\ndata: [DONE]\n\n", "text/event-stream")
    writing = Writing.build(WriterConfig(url=f"{site.url}/v1", model="m"), key=SecretStr("secret"))
    assert writing is not None
    assert await writing.word("can I return boots?", (), [PASSAGE], "the articles' own words") == sent
    assert site.asked[0][1]["authorization"] == "Bearer secret"


def test_without_configuration_there_is_no_writer_and_two_are_an_error() -> None:
    assert Writing.build(WriterConfig(), key=None) is None
    with pytest.raises(BadInput, match="keep one of them"):
        Writing.build(WriterConfig(url="http://x", local="y"), key=None)
    with pytest.raises(BadInput, match=r"'/nowhere' cannot be loaded.*path or a hub id"):
        Writing.build(WriterConfig(local="/nowhere"), key=None)
