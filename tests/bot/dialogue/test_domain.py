"""The dialogue files: what is read, and what is said about files that are wrong."""
# ruff: noqa: E501 - tables of whole messages read best unbroken

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain import Domain, load_domain, nlu_examples
from bot.domain_check import examine
from bot.domain_files import project_files
from bot.entities import Finder
from bot.nlu_file import annotated
from retrieval.errors import BadInput, NotFound

ROOT = Path(__file__).parents[3]
RASA = ROOT.parent / "shared" / "rasa"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in examine(folder)[1]]


def test_the_default_files_have_no_problem() -> None:
    assert problems(ROOT / "config") == []


def test_the_desk_of_the_tests_has_no_error(shop: Domain) -> None:
    assert shop.forms["return_form"].required == ("reason", "pickup")
    assert shop.slots["reason"].values == ("broken", "late", "unwanted")
    assert shop.session.minutes == 60


def test_examples_come_without_their_annotations(shop: Domain) -> None:
    assert ("where is AB-1001", "check_order") in nlu_examples(shop)
    assert ("I want to return AB-1002", "start_return") in nlu_examples(shop)


@pytest.mark.parametrize(
    ("text", "plain", "entities"),
    [
        ("to [Berlin](city)", "to Berlin", [{"value": "Berlin", "entity": "city", "start": 3, "end": 9}]),
        ("[NYC](city:New York) it is", "NYC it is", [{"value": "New York", "entity": "city", "start": 0, "end": 3}]),
        (
            'from [x]{"entity": "city", "role": "from", "value": "X"} on',
            "from x on",
            [{"value": "X", "entity": "city", "role": "from", "start": 5, "end": 6}],
        ),
        ("a [list] of (things)", "a [list] of (things)", []),
        ("[a](b) and [c](d)", "a and c", [{"value": "a", "entity": "b", "start": 0, "end": 1}, {"value": "c", "entity": "d", "start": 6, "end": 7}]),
        ('[x]{"entity": broken}', '[x]{"entity": broken}', []),
    ],
)  # fmt: skip
def test_annotated_examples(text: str, plain: str, entities: list[object]) -> None:
    found = annotated(text)
    assert (found.text, list(found.entities)) == (plain, entities)


def test_entities_are_found_by_lookup_regex_and_example_with_synonyms(shop: Domain) -> None:
    found = Finder(shop).find("my ab-1 is broken, no: AB-1234 came Late")
    assert [(one["entity"], one["value"]) for one in found] == [
        ("reason", "broken"), ("order_number", "AB-1234"), ("reason", "Late"),
    ]  # fmt: skip
    merged = Finder(shop).merged([{"entity": "reason", "value": "damaged", "start": 0, "end": 7}], "damaged AB-1001")
    assert [(one["entity"], one["value"]) for one in merged] == [("reason", "broken"), ("order_number", "AB-1001")]


def test_files_may_be_split_over_folders(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        domain__a="intents: [greet]\nresponses:\n  utter_a:\n    - text: A\n",
        domain__b="intents: [bye, greet]\nresponses:\n  utter_b:\n    - text: B\n",
        data__rules="rules:\n  - rule: a\n    steps:\n      - intent: greet\n      - action: utter_a\n",
        data__more__all="nlu:\n  - intent: greet\n    examples: |\n      - hi\nstories:\n  - story: b\n    steps:\n"
        "      - intent: bye\n      - action: utter_b\n",
        data__test_this="stories: [this is not read]",
    )
    domain = load_domain(folder)
    assert list(domain.intents) == ["greet", "bye"]
    assert list(domain.responses) == ["utter_a", "utter_b"]
    assert (len(domain.rules), len(domain.stories), nlu_examples(domain)) == (1, 1, [("hi", "greet")])
    assert domain.raw["intents"] == ["greet", "bye"]
    assert len(project_files(folder)) == 4


def test_words_like_yes_and_on_are_words(tmp_path: Path) -> None:
    folder = write(
        tmp_path, domain="intents: [yes, no, on, off]\nslots:\n  y:\n    type: categorical\n    values: [yes, no]\n"
    )
    domain = load_domain(folder)
    assert list(domain.intents) == ["yes", "no", "on", "off"]
    assert domain.slots["y"].values == ("yes", "no")


def test_an_empty_folder_is_a_desk_without_dialogue(tmp_path: Path) -> None:
    assert load_domain(tmp_path).rules == ()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        load_domain(tmp_path / "nowhere")


BASE = "intents: [greet, bye]\nentities: [city]\nslots:\n  town: {type: text}\nresponses:\n  utter_greet:\n    - text: Hi\n"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("- intent: gret\n", "rules.yml:4: error: intent 'gret' is not in the domain; add `- gret` to `intents:` of the "
         "domain; did you mean 'greet'?"),
        ("- intent: greet\n      - action: utter_greeet\n", "rules.yml:5: error: response 'utter_greeet' is not in the "
         "domain; add it under `responses:`; did you mean 'utter_greet'?"),
        ("- intent: greet\n      - action: action_x\n", "rules.yml:5: error: action 'action_x' is not in the domain; "
         "add it under `actions:`"),
        ("- intent: greet\n      - active_loop: some_form\n", "rules.yml:5: error: form 'some_form' is not in the domain"),
        ("- intent: greet\n      - slot_was_set:\n        - twon: x\n", "rules.yml:5: error: slot 'twon' is not in the "
         "domain; add it under `slots:`; did you mean 'town'?"),
        ("- intent: greet\n        entities: [cty]\n", "rules.yml:4: error: entity 'cty' is not in the domain; did you mean "
         "'city'?"),
        ("- intnt: greet\n", "rules.yml:4: error: a step of rule 'r' has none of the keys intent, user, action, bot, "
         "slot_was_set, active_loop, checkpoint, or; found {'intnt': 'greet'}"),
        ("- greet\n", "rules.yml:4: error: a step of rule 'r' must look like `- intent: x` or `- action: y`, found 'greet'"),
    ],
)  # fmt: skip
def test_a_wrong_name_in_a_rule_is_an_error_with_line_and_cure(rules: str, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path, domain=BASE, rules=f"rules:\n  - rule: r\n    steps:\n      {rules}")
    assert any(found.startswith(message) for found in problems(folder)), problems(folder)
    with pytest.raises(BadInput, match=r"rules\.yml:\d"):
        load_domain(folder)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("intens: [a]\n", "domain.yml:1: error: unknown key 'intens' in a dialogue file; did you mean 'intents'?"),
        ("slots:\n  a: {type: txt}\n", "domain.yml:2: error: slot 'a' has the unknown type 'txt'; did you mean 'text'?"),
        ("slots:\n  a: {type: categorical}\n", "domain.yml:2: error: categorical slot 'a' lists no `values:`; add them"),
        ("slots:\n  a:\n    type: text\n    mappings:\n      - type: from_entity\n", "domain.yml:5: error: the from_entity "
         "mapping of slot 'a' names no `entity:`"),
        ("slots:\n  a:\n    type: text\n    mappings:\n      - {type: from_entity, entity: x}\n", "domain.yml:2: error: slot "
         "'a' is filled from the unknown entity 'x'"),
        ("forms:\n  f: {required_slots: [b]}\n", "domain.yml:2: error: slot 'b' is not in the domain; add it under"),
        ("responses:\n  utter_a: []\n", "domain.yml:2: error: response 'utter_a' has no variation; add `- text: ...`"),
        ("responses:\n  utter_a:\n    - txt: hi\n", "domain.yml:3: error: unknown key 'txt' in response 'utter_a'; did you "
         "mean 'text'?"),
        ("intents: greet\n", "domain.yml:1: error: `intents` must be a list, found str; write one `- ` a line"),
        ("slots: [a]\n", "domain.yml:1: error: `slots` must be a mapping of names, found Items"),
        ("rules:\n  - steps: []\n", "domain.yml:2: error: an item of `rules` begins with `- rule: name`"),
        ("nlu:\n  - intent: a\n    examples: |\n      hello\n", "domain.yml:4: warning: an example begins with `- `, found 'hello'"),
    ],
)  # fmt: skip
def test_a_wrong_domain_is_an_error_with_line_and_cure(domain: str, message: str, tmp_path: Path) -> None:
    found = problems(write(tmp_path, domain=domain))
    assert any(one.startswith(message) for one in found), found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", r"domain\.yml:2: not YAML"),
        ("- a\n- b", r"domain\.yml:1: a mapping is needed"),
        ("a: 1\nb: 2\na: 3", r"domain\.yml:3: 'a' is there twice \(first in line 1\)"),
        ("\x00", r"domain\.yml: not YAML"),
    ],
)
def test_what_is_no_yaml_is_an_error_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        load_domain(write(tmp_path, domain=text))


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "domain.yml").write_bytes("intents: [grüß]".encode("latin-1"))
    with pytest.raises(BadInput, match="not UTF-8; save the file as UTF-8"):
        load_domain(tmp_path)


def test_rules_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    rule = "  - rule: {}\n    steps:\n      - intent: greet\n      - action: {}\n"
    rules = "rules:\n" + rule.format("one", "utter_greet") + rule.format("two", "action_restart")
    found = problems(write(tmp_path, domain=BASE, rules=rules))
    assert any(
        "rule 'two' wants 'action_restart' where rule 'one'" in one and "rules.yml:6: error" in one for one in found
    )


def test_a_story_against_a_rule_and_unused_names_are_warnings(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        domain=BASE,
        rules="rules:\n  - rule: r\n    steps:\n      - intent: greet\n      - action: utter_greet\n",
        stories="stories:\n  - story: s\n    steps:\n      - intent: greet\n      - action: action_restart\n",
    )
    found = problems(folder)
    assert any("stories.yml:4: warning: story 's' wants 'action_restart' here, but rule 'r'" in one for one in found)
    assert any("domain.yml:1: warning: intent 'bye' has no examples" in one for one in found)
    load_domain(folder)


def test_a_checkpoint_that_leads_nowhere_and_cycles_are_survived(tmp_path: Path) -> None:
    stories = (
        "stories:\n"
        "  - story: a\n    steps: [{intent: greet}, {action: utter_greet}, {checkpoint: round}]\n"
        "  - story: b\n    steps: [{checkpoint: round}, {intent: bye}, {action: utter_greet}, {checkpoint: round}]\n"
        "  - story: c\n    steps: [{intent: bye}, {checkpoint: nowhere}]\n"
    )
    domain, found = examine(write(tmp_path, domain=BASE, stories=stories))
    assert any("checkpoint 'nowhere' leads nowhere" in problem.text for problem in found)
    assert [len(story.points) for story in domain.stories] == [4, 1]


@pytest.mark.skipif(not RASA.is_dir(), reason="the projects of ../shared/rasa are not here")
@pytest.mark.parametrize(
    "project",
    ["concertbot", "e2ebot", "formbot", "knowledgebasebot", "moodbot", "reminderbot", "responseselectorbot", "rules"],
)
def test_rasas_example_projects_load_without_a_change(project: str) -> None:
    domain = load_domain(RASA / "projects" / project)
    assert domain.intents
    assert domain.nlu.examples
