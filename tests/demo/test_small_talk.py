"""The demo as trained: chit-chat never gets an answer to something else, and each of several requests gets its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bot.commands.train import train_bundle
from bot.conversation import Conversation
from bot.domain import load_domain
from bot.entities import Finder
from bot.hearing import hear_requests
from bot.messages import UserMessage
from bot.policy import decide
from bot.settings import Settings
from bot.steps import Answer, Cite, Clarify, HandOff, RunAction, Step
from bot.testing.run import in_service, limits_of
from bot.transcript import TranscriptFolder, read
from retrieval.bundle import Bundles

SMALL_TALK = """
hi|Hi!!|hello :)|HELLO|hey there 👋|good mornign|Good evening, how are you?
hiya, hope you are well|thanks|Thanks!|thx|thank u so much
thanks a lot, you've been really helpful|ty|THANK YOU!!!|thansk|thank yuo very much|cheers mate
ok thanks|many thanks, have a nice day|great, thanks for your help 🙏|perfect|awesome|ok
okay, got it|cool 👍|lol|haha that's funny|nice weather today|how are you?|what's up
who made you?|tell me a joke|do you like football?|I love you|danke schön|Vielen Dank!
merci beaucoup|gracias|muchas gracias por tu ayuda|obrigado|grazie mille|谢谢|非常感谢|ありがとう|спасибо
dziękuję|teşekkürler|شكرا|tack så mycket|no worries|you're welcome|bye|see ya later
goodbye and thanks|that's all, thanks|👍|🙏🙏|hmm|one moment please
"""
LINES = [line for row in SMALL_TALK.strip().splitlines() for line in row.split("|")]
THANKS = [*"thansk,danke schön,merci beaucoup,gracias,谢谢,спасибо,شكرا,🙏🙏,Vielen Dank!".split(",")]
COURTEOUS = {"utter_greet", "utter_thank", "utter_goodbye", "utter_iamabot", "utter_ask_rephrase"}

Steps = Callable[[str], list[Step]]


@pytest.fixture(scope="module")
def steps(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """The first step to each request of a first message."""
    folder = tmp_path_factory.mktemp("demo")
    ignored = shutil.ignore_patterns("*.jsonl", "*.py", "material", "actions", "__pycache__")
    shutil.copytree(demo, folder / "config", ignore=ignored)
    recipe = folder / "config" / "training.yml"
    recipe.write_text(yaml.safe_dump({**(yaml.safe_load(recipe.read_text()) or {}), "encoder": {"tune": "never"}}))
    settings = Settings.build(data_dir=folder / "data", config_dir=folder / "config")
    TranscriptFolder(settings.transcripts).add(read(demo / "transcripts.jsonl"), "demo")
    Bundles(settings.bundles).promote(train_bundle(settings))
    engine, domain = in_service(settings), load_domain(settings.config_dir)
    assert engine is not None
    finder, limits = Finder(domain), limits_of(engine)

    def first(text: str) -> list[Step]:
        conversation = Conversation("c")
        heard = hear_requests(engine, finder, UserMessage("c", text), conversation, domain, limits)
        return [decide(conversation.apply(said), domain, offers, limits) for said, offers in heard]

    return first


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_small_talk_gets_no_answer_to_something_else(steps: Steps) -> None:
    assert len(LINES) >= 40
    wrong = {}
    for line in LINES:
        (step,) = steps(line)
        if isinstance(step, Answer | Cite | Clarify) or (isinstance(step, RunAction) and step.name not in COURTEOUS):
            wrong[line] = step
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("line", THANKS)
def test_thanks_are_understood_in_any_language(line: str, steps: Steps) -> None:
    (step,) = steps(line)
    assert isinstance(step, RunAction)
    assert step.name == "utter_thank"


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "text",
    [
        "hi, where is my order and can I return shoes?",
        "Hi! Where is my order AB-123456? And how long do refunds take?",
        "Do you have gift cards? How do I pay?",
        "what is the return window & who pays return shipping?",
        "where is my parcel and do you ship to Norway?",
    ],
)
def test_each_of_several_requests_is_answered_or_asked_about(text: str, steps: Steps) -> None:
    found = steps(text)
    assert len(found) == 2
    assert isinstance(found[0], Answer | Cite | RunAction)
    assert isinstance(found[1], Answer | Cite | RunAction | HandOff | Clarify)
