"""Projects in the style of public Rasa assistants (`projects/`): each is loaded as it is, talks as Rasa's would, and
names what does not come along."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.action_server import ActionServer
from bot.commands.migrate import app as migrate
from bot.domain import load_domain
from bot.domain_check import examine
from bot.rasa_project.project import read_settings
from bot.settings import Settings
from bot.testing.run import run_tests
from retrieval.errors import BadInput

PROJECTS = Path(__file__).parent / "projects"
GOOD = ("bank", "flights", "store", "helpdesk", "insurance", "guide", "branches")


@pytest.fixture
def project(new_desk: Any, sdk: str) -> Any:
    return lambda name: new_desk(load_domain(PROJECTS / name), ActionServer(sdk))


@pytest.mark.parametrize("name", GOOD)
def test_its_own_test_stories_pass(name: str, tmp_path: Path) -> None:
    settings = Settings.build(config_dir=PROJECTS / name, data_dir=tmp_path)
    outcomes, _ = asyncio.run(run_tests(settings, [PROJECTS / name], only_dialogue=True))
    assert outcomes
    assert [str(outcome.difference) for outcome in outcomes if not outcome.passed] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_it_is_migrated_trained_and_tested_with_one_command(name: str, tmp_path: Path) -> None:
    shutil.copytree(PROJECTS / name, tmp_path / name)
    result = CliRunner().invoke(migrate, [str(tmp_path / name)])
    assert result.exit_code == 0, result.output


def test_what_the_check_finds_is_what_is_wrong() -> None:
    found = {
        name: [f"{Path(one.place.file).name}:{one.place.line} {one.text}" for one in _examined(name)] for name in GOOD
    }
    assert found == {
        "bank": [], "store": [], "branches": [],
        "flights": ["nlu.yml:42 entity 'date' of this example is not in the domain; add it to `entities:`; known: "
                    "city, travel_class"],
        "helpdesk": ["domain.yml:3 entity 'incident' is in no example, lookup, mapping, rule or story; remove it or "
                     "use it"],
        "insurance": ["domain.yml:40 slot 'state': the class insurance.slots.StateSlot is not loaded; rules and "
                      "stories see only whether the slot is set; `type: categorical` with `values:` tells them more"],
        "guide": ["domain.yml:8 intent 'out_of_scope/other' has no examples and no rule or story uses it; remove it or "
                  "use it",
                  "domain.yml:22 action 'action_docs_search' is in no rule and no story; unless another action asks "
                  "for it, remove it"],
    }  # fmt: skip


def _examined(name: str) -> Any:
    return examine(PROJECTS / name)[1]


def test_a_project_of_an_older_rasa_is_refused_with_the_cure_of_each_line() -> None:
    found = {(Path(one.place.file).name, one.place.line): one.text for one in _examined("aged").errors}
    assert found.keys() == {
        ("stories.yml", 7), ("stories.yml", 9), ("domain.yml", 9), ("domain.yml", 11), ("domain.yml", 17),
        ("domain.yml", 23),
    }  # fmt: skip
    assert found["domain.yml", 9] == "slot 'colour': `unfeaturized` is gone since Rasa 3: write `type: any`"
    assert found["domain.yml", 11] == "`templates:` is of an older Rasa: write `responses:`"
    assert "list their names under `required_slots:` and move what fills them to `mappings:`" in found["domain.yml", 17]
    assert found["stories.yml", 7].endswith("write `- active_loop: NAME`")
    policies = [one.text for one in read_settings(PROJECTS / "aged").all if "Policy" in one.text]
    assert all("gone since Rasa 3" in one for one in policies)
    assert len(policies) == 6
    with pytest.raises(BadInput, match="6 error"):
        load_domain(PROJECTS / "aged")


def test_every_option_and_channel_is_named_with_what_becomes_of_it() -> None:
    found = {(Path(one.place.file).stem, one.place.line): one for one in read_settings(PROJECTS / "bank").all}
    assert found["config", 10].text.startswith("CountVectorsFeaturizer: analyzer, min_ngram, max_ngram are settings")
    assert found["endpoints", 3].text == "action_endpoint.headers: sent with every call"
    assert {key[1]: one.verdict for key, one in found.items() if key[0] == "credentials"} == {
        1: "works", 2: "works", 6: "differs", 9: "differs", 13: "differs", 17: "unsupported",
    }  # fmt: skip


def test_a_session_of_the_projects_own_decides_what_is_carried_over(project: Any) -> None:
    desk = project("bank")
    assert desk.texts("/greet", at=0.0) == ["Hello stranger, what can I do for you?"]
    assert desk.texts('/check_balance{"account_type": "savings"}', at=10.0) == ["There are 500 crowns in your savings."]
    assert desk.texts("/greet", at=5000.0) == ["Hello stranger, what can I do for you?"]
    assert (desk.conversation.slots["account_type"], desk.conversation.loop) == ("savings", None)


def test_one_form_gives_way_to_another_and_buttons_carry_their_entities(project: Any) -> None:
    desk = project("bank")
    assert desk.texts('/send_money{"payee": "Ada"}') == ["How much?"]
    said = desk.say("/pay_bill")
    assert [one["text"] for one in said] == ["First the bill. Your transfer waits.", "How much?"]
    assert desk.conversation.loop == "bill_form"
    assert desk.texts('/inform{"amount": 30}') == ["A bill of 30: shall I pay it?"]
    assert desk.texts("/affirm") == ["It is on its way."]
    buttons = desk.say("/check_balance")[0]["buttons"]
    assert [one["payload"] for one in buttons] == [
        '/inform{"account_type": "savings"}',
        '/inform{"account_type": "current"}',
    ]
    assert desk.texts(buttons[1]["payload"]) == ["There are 120 crowns in your account."]


def test_roles_tell_where_from_and_where_to_and_a_validation_refuses(project: Any) -> None:
    desk = project("flights")
    cities = ({"entity": "city", "role": "from", "value": "Oslo"}, {"entity": "city", "role": "to", "value": "Oslo"})
    assert desk.texts("from Oslo to Oslo", intent="offset_flight", entities=cities) == [
        "And where do you go from Oslo?"
    ]
    assert desk.texts("/why") == ["Every tonne counts, Oslo or not.", "And where do you go from Oslo?"]
    assert desk.texts('/inform{"city": "Rome"}') == ["And back from Rome?"]
    said = desk.say("/affirm")
    assert [one.get("text") for one in said] == ["2 t, economy", "Pay here.", None]
    assert said[2]["attachment"]["type"] == "template"
    assert desk.conversation.slots["stops"] == ["Oslo", "Rome"]


def test_checkpoints_or_steps_and_a_categorical_slot_choose_the_story(project: Any) -> None:
    for order, answer in (("A-1001", "I have made you a label."), ("A-1002", "It is too late to send it back.")):
        desk = project("store")
        assert desk.texts("/return_item") == ["Which order is it?"]
        assert desk.texts(f'/inform{{"order_no": "{order}"}}') == [answer]
        assert desk.texts("/thank+bye") == ["You are welcome."]


def test_what_the_story_does_not_speak_of_does_not_stop_it(project: Any) -> None:
    desk = project("store")
    assert desk.texts('/return_item{"order_no": "A-1001"}') == ["I have made you a label."]


def test_a_custom_response_and_quick_replies(project: Any) -> None:
    desk = project("store")
    assert desk.texts("/stock") == ["What are you looking for?"]
    asked = desk.say('/inform{"item": "boots"}')[0]
    assert [one["title"] for one in asked["buttons"]] == ["S", "L"]
    assert desk.say(asked["buttons"][0]["payload"])[0]["custom"] == {
        "type": "card",
        "title": "boots",
        "sizes": ["small"],
    }


def test_the_help_desk_asks_by_actions_validates_and_takes_a_joke(project: Any) -> None:
    desk = project("helpdesk")
    assert desk.texts("/password_reset") == ["What is your e-mail address?"]
    assert desk.texts('/inform{"email": "nobody"}') == ["That is no address.", "What is your e-mail address?"]
    assert desk.texts("/chitchat") == ["Nice of you to ask. Back to work.", "What is your e-mail address?"]
    assert desk.texts("/help") == ["I open tickets and look them up.", "What is your e-mail address?"]
    assert desk.texts('/inform{"email": "a@b.example"}')[0] == "How urgent is it?"
    last = 'Shall I open a ticket for "Problem resetting password"?'
    assert desk.texts('/inform{"priority": "high"}') == [last]
    assert desk.texts("/affirm") == ["Ticket opened, priority high."]
    assert desk.texts("/open_incident") == ["Ticket opened, priority high."], "what is known is not asked again"
    other = project("helpdesk")
    assert other.texts("/open_incident") == ["What is your e-mail address?"]
    assert other.texts("/stop") == ["I stop here."]
    assert other.conversation.loop is None


def test_a_default_action_of_the_projects_own_takes_its_place(project: Any) -> None:
    desk = project("helpdesk")
    said = desk.say("frobnicate the gizmo please", intent="nlu_fallback")
    assert said[0]["text"] == "Is it about a ticket?"


def test_trigger_intents_custom_mappings_and_slots_the_server_requires(project: Any) -> None:
    desk = project("insurance")
    assert desk.texts("/quote_family") == ["How old is the oldest?"]
    assert desk.texts('/inform{"number": 44}') == ["Basic or gold?"]
    assert desk.texts("/bye") == ["Basic or gold?"], "the form ignores it, and the rule is for outside of forms"
    assert desk.texts('/inform{"plan": "GOLD"}') == ["Gold for family: 40 a month."]
    slots = desk.conversation.slots
    assert (slots["plan"], slots["household"], slots["messages_so_far"]) == ("gold", "family", 4)
    other = project("insurance")
    assert other.texts("/claim") == ["Which claim?"]
    assert other.texts('/inform{"number": 7}') == ["Basic or gold?"]
    assert other.texts('/inform{"plan": "gold"}') == ["Claim 7 is paid."]


def test_retrieval_intents_and_words_instead_of_names(project: Any) -> None:
    desk = project("guide")
    assert desk.texts("/faq/ask_price") == ["It is free."]
    python = desk.say("which python", intent="faq/ask_python")
    assert [next(iter(set(one) - {"recipient_id"})) for one in python] == ["text", "image"]
    assert desk.texts("/chitchat/ask_name") == ["I am the guide."]
    assert desk.texts("/greet") == ["Hey there!"]
    assert desk.texts("please remember my bike", intent="feedback") == ["I will remember that."]
    assert desk.texts("/feedback") == ["Thanks."]


def test_a_project_of_several_is_one(project: Any) -> None:
    desk = project("branches")
    talk = {"/greet": "Head office.", "/hours_north": "The north opens at nine.", "/hours_south": "The south opens at "
            "ten.", "/bye": "Bye."}  # fmt: skip
    assert {message: desk.texts(message)[0] for message in talk} == talk
