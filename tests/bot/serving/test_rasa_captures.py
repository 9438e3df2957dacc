"""The traffic captured from Rasa 3.6.21, replayed against a server of ours with the same project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from captures import RASA, EnginesHear, FinderHears, capture, compared_events, differences, heard_by_rasa
from rasa_desk import TOKEN, project_settings
from sdk_servers import sdk_server
from serving_desk import Server, running

from bot.settings import Settings
from bot.testing.run import run_tests

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(not RASA.is_dir(), reason="the captures of ../shared/rasa are not here"),
]

BOTS = ("moodbot", "concertbot", "reminderbot", "responseselectorbot", "formbot", "knowledgebasebot")
CONVERSATION = ("tracker_all", "tracker_none", "tracker_applied", "tracker_bad_verbosity", "story")
CALLS = (
    "rest_nosender", "rest_nomessage", "rest_badjson", "rest_health", "rest_intent_payload", "rest_input_channel",
    "root", "version", "status", "domain", "domain_yaml", "tracker_new", "parse", "parse_msgid", "parse_notext",
    "parse_intent_prefix", "parse_emul_luis", "messages", "messages_parse_data", "messages_badsender", "predict",
    "execute", "execute_unknown", "execute_noname", "trigger_intent", "trigger_intent_unknown", "events_append",
    "events_append_bad", "events_replace", "model_predict", "rest_restart", "rest_session_start", "notfound",
    "methodnotallowed",
)  # fmt: skip

# What may differ, by call: each line of docs/rasa.md that shows in a capture, and no more.
EVERYWHERE = (
    r"\.metadata: more$",
    r"\.data\.attachment: ",
    r"\.policy: '",
    r"\.utter_action: 'utter_chitchat'",
)
ALLOWED: dict[str, tuple[str, ...]] = {
    "predict": (r"^\.scores\[\d+\]\.action: ",),
    "root": (r"^: 'Hello from Rasa",),
    "rest_badjson": (r"^\.(type|title|detail): more$",),
    "notfound": (r"^: '<!DOCTYPE",),
    "methodnotallowed": (r"^: '<!DOCTYPE",),
    "rest_restart": (r"^: 0 items \| 1 items",),
    "execute": (r"^\.tracker\.events: \d+ items", r"^\.tracker\.latest_action", r"^\.tracker\.slots\."),
    "trigger_intent": (r"^\.tracker\.(events|slots|latest_|active_loop)", r"^\.messages(: 0 items|\[0\]\.text)"),
    "trigger_intent_unknown": (r"^\.message: 'The intent <function",),
    "events_append_bad": (r"^\.message: ", r"^\.help: "),
    "domain_yaml": (r"^: ",),
}
# The knowledge base of rasa-sdk lists what it found in random order; Duckling describes its numbers.
SHUFFLED = (
    r"\.text: '\d: ", r"has the value", r"\.knowledge_base_(listed_objects\[|last_object)",
    r"\.value(\[\d\])?: \d \| \d",
    r"\.text: 'Hello! How can I help you\?' \| 'Hey!'", r"^: .version",
)  # fmt: skip
OF_BOT = {"knowledgebasebot": SHUFFLED, "formbot": (r"\.entities\[0\]\.(text|additional_info): missing",)}
# Where a message that nobody can use is not forgotten, and the form asks again: so many events are the same before.
SAME_EVENTS = {"formbot": 47}
# Where Rasa's classifier or its choice of a response was another, so that the conversations part.
PARTED: dict[str, tuple[str, ...]] = {
    "formbot": ("rest_06", *CONVERSATION),
    "responseselectorbot": (
        "rest_01", "rest_02", "tracker_all", "tracker_none", "tracker_applied", "story",
        # its domain lists one response less than its own error message
        "execute_unknown",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def actions() -> Iterator[str]:
    with sdk_server() as url:
        yield url


@pytest.fixture(scope="module")
def encoder_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(params=BOTS)
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, clean_redis: str, actions: str, encoder_work: Path
) -> Settings:
    project = RASA / "projects" / request.param
    return project_settings(project, tmp_path, clean_redis, work=encoder_work, actions_url=actions)


async def test_every_captured_call_gets_the_same_reply(settings: Settings, request: pytest.FixtureRequest) -> None:
    bot = request.node.callspec.params["settings"]
    said = sorted(path.stem for path in (RASA / "captures" / bot).glob("rest_0*.json"))
    found = []
    async with running(settings) as server:
        # Field by field is a matter of the dialogue and the wire: what was understood is taken from the capture.
        manager = server.parts.manager
        manager.engines = EnginesHear(manager.engines, heard_by_rasa(bot))  # type: ignore[assignment]
        manager.finder = FinderHears(manager.domain, heard_by_rasa(bot))
        for name in (*said, *CONVERSATION, *CALLS):
            call = capture(bot, name)
            status, reply = await _replay(server, call)
            if name == "tracker_all" and bot in SAME_EVENTS:
                same = SAME_EVENTS[bot]
                theirs, ours = (compared_events(one["events"])[:same] for one in (call["response"], reply))
                found += [f"{name}{one}" for one in differences(theirs, ours) if not _known(one, EVERYWHERE, bot)]
            if name in PARTED.get(bot, ()):
                continue
            assert status == call["status"], name
            allowed = (*EVERYWHERE, *ALLOWED.get(name, ()))
            differing = differences(call["response"], reply)
            found += [f"{name}{one}" for one in differing if not _known(one, allowed, bot)]
    assert not found, "\n".join(found)


def _known(difference: str, allowed: Sequence[str], bot: str) -> bool:
    return any(re.search(one, difference) for one in (*allowed, *OF_BOT.get(bot, ())))


@pytest.mark.parametrize("bot", ["moodbot", "formbot", "responseselectorbot", "e2ebot"])
async def test_the_projects_own_test_stories_pass_with_a_bundle_of_their_examples(
    bot: str, tmp_path: Path, encoder_work: Path
) -> None:
    project = RASA / "projects" / bot
    settings = project_settings(project, tmp_path, "", work=encoder_work)
    outcomes, _ = await run_tests(settings, [project])
    assert outcomes
    assert [str(outcome.difference) for outcome in outcomes if not outcome.passed] == []


async def _replay(server: Server, call: dict[str, Any]) -> tuple[int, Any]:
    asked = call["request"]
    path = f"{asked['path']}{'&' if '?' in asked['path'] else '?'}token={TOKEN}"
    body = {"content": asked["json"]} if isinstance(asked["json"], str) else {"json": asked["json"]}
    answer = await server.client.request(
        asked["method"], path, headers=asked["headers"] or {}, **({} if asked["json"] is None else body)
    )
    is_json = "json" in answer.headers.get("content-type", "")
    return answer.status_code, answer.json() if is_json and not isinstance(call["response"], str) else answer.text
