"""Project files as Rasa allows them: split, imported, with slips that Rasa lives with and ones it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.domain import load_domain, nlu_examples
from bot.domain_check import examine
from retrieval.errors import BadInput

RASA = Path(__file__).parents[4] / "shared" / "rasa"
here = pytest.mark.skipif(not RASA.is_dir(), reason="the fixtures of ../shared/rasa are not here")


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def problems(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in examine(folder)[1]]


def test_a_project_is_split_over_files_and_folders(tmp_path: Path) -> None:
    write(
        tmp_path,
        domain__intents="intents: [greet, bye]\nentities: [{city: {roles: [from]}}]\n",
        domain__more__answers="responses:\n  utter_greet: [{text: Hi}]\nentities: [{city: {roles: [to]}}]\n",
        data__nlu__a="nlu: [{intent: greet, examples: ['hi']}]\n",
        data__nlu__b="nlu: [{intent: bye, examples: ['bye']}]\nresponses:\n  utter_bye: [{text: Bye}]\n",
        data__talk="rules:\n- {rule: r, steps: [{intent: greet}, {action: utter_greet}]}\n",
        data__test_talk="stories: [{story: no, steps: [{intent: unknown}]}]\n",
    )
    domain = load_domain(tmp_path)
    assert nlu_examples(domain) == [("hi", "greet"), ("bye", "bye")]
    assert set(domain.responses) == {"utter_greet", "utter_bye"}
    assert domain.roles["city"] == {"from", "to"}
    assert len(domain.rules) == 1


def test_projects_that_config_imports_are_read_too_and_circles_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        config="imports: [projects/a]\n",
        domain="intents: [own]\n",
        projects__a__config="imports: [../b]\n",
        projects__a__domain="intents: [of_a]\n",
        projects__b__config="imports: [../a]\n",
        projects__b__domain="intents: [of_b]\n",
    )
    assert list(examine(tmp_path)[0].intents) == ["of_b", "of_a", "own"]


def test_an_import_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"config\.yml:2: .*nowhere is no folder; mend or remove this line"):
        load_domain(write(tmp_path, config="imports:\n- nowhere\n", domain=""))


def test_values_come_from_the_environment_or_are_missed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, domain="responses:\n  utter_a:\n  - text: Hello from ${DESK_TOWN}\n")
    with pytest.raises(BadInput, match=r"domain\.yml:3: \$\{DESK_TOWN\} is not set in the environment"):
        load_domain(folder)
    monkeypatch.setenv("DESK_TOWN", "Bergen")
    assert load_domain(folder).responses["utter_a"][0].text == "Hello from Bergen"


def test_what_rasa_reads_over_is_no_error(tmp_path: Path) -> None:
    write(
        tmp_path,
        domain="intents: [greet]\nx-authors: [us]\n",
        data__list="- something else\n",
        data__nlu="nlu:\n- intent: greet\n  examples: |\n    - hi\n    hello\n",
    )
    load_domain(tmp_path)
    assert problems(tmp_path) == [
        "data/list.yml:1: warning: this file is a list, nothing is read from it; move it elsewhere",
        "data/nlu.yml:5: warning: an example begins with `- `, found 'hello'; it is left out, as Rasa does",
        "domain.yml:2: warning: nothing reads 'x-authors' in a dialogue file; remove it",
    ]


@pytest.mark.parametrize(
    ("nlu", "message"),
    [
        ("- {intent: a, examples: [hi]}\n- {intent: b, examples: [Hi]}", "'Hi' is an example of 'b' here and of 'a'"),
        ("- {synonym: x, examples: [one]}\n- {synonym: y, examples: [One]}", "'One' is a synonym of 'x' already"),
        ("- {regex: zip, examples: ['[0-9']}", "error: regex 'zip': '[0-9' is no regular expression"),
        ("- {intent: a, examples: ['to [Rome](ctiy)']}", "entity 'ctiy' of this example is not in the domain; add it "
         "to `entities:`; did you mean 'city'?"),
        ('- {intent: a, examples: [\'[Rome]{"entity": "city", "role": "form"}\']}', "role 'form' of entity 'city' is "
         "not in the domain; add it to `roles:`; did you mean 'from'?"),
    ],
)  # fmt: skip
def test_examples_are_checked_against_each_other_and_the_domain(nlu: str, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path, domain="intents: [a, b]\nentities: [{city: {roles: [from]}}]\n", nlu=f"nlu:\n{nlu}\n")
    assert any(message in one for one in problems(folder)), problems(folder)


def test_stories_that_contradict_each_other_are_told_once_with_both_places(tmp_path: Path) -> None:
    story = "- story: {}\n  steps: [{{intent: a}}, {{action: utter_a}}, {{intent: b}}, {{action: {}}}, {{intent: a}}]\n"
    folder = write(
        tmp_path,
        domain="intents: [a, b]\nresponses: {utter_a: [{text: A}], utter_b: [{text: B}]}\n",
        stories="stories:\n" + story.format("one", "utter_a") + story.format("two", "utter_b"),
    )
    found = [one for one in problems(folder) if "where story" in one]
    assert len(found) == 1
    assert found[0].startswith("stories.yml:5: warning: story 'two' wants 'utter_b' here where story 'one'")
    assert "wants 'utter_a' after the same turns; make them differ or remove one" in found[0]


def test_names_that_nothing_uses_are_told(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        domain="intents: [a, a]\nentities: [city]\nactions: [action_x, validate_f]\nforms: {f: {required_slots: []}}\n",
    )
    found = "\n".join(problems(folder))
    for part in (
        "domain.yml:1: warning: 'a' is listed twice under `intents`",
        "domain.yml:2: warning: entity 'city' is in no example",
        "domain.yml:3: warning: action 'action_x' is in no rule",
        "domain.yml:4: warning: form 'f' is opened by no rule",
    ):
        assert part in found
    assert "validate_f" not in found


def test_a_checkpoint_may_ask_for_slots_and_one_that_is_never_reached_is_told(tmp_path: Path) -> None:
    stories = """stories:
- story: start
  steps: [{intent: a}, {checkpoint: named}]
- story: with name
  steps: [{checkpoint: named, slot_was_set: [{name: Josh}]}, {action: utter_a}]
- story: without
  steps: [{checkpoint: named, slot_was_set: [{name: null}]}, {action: utter_b}]
- story: lost
  steps: [{checkpoint: lost}, {intent: a}, {action: utter_a}]
"""
    domain, found = examine(
        write(
            tmp_path,
            domain="intents: [a]\nslots: {name: {type: text}}\n"
            "responses: {utter_a: [{text: A}], utter_b: [{text: B}]}\n",
            stories=stories,
        )
    )
    ways = {(str(story.points[0].slots["name"]), story.points[1].name) for story in domain.stories}
    assert ways == {("True", "utter_a"), ("None", "utter_b")}
    assert [problem.text for problem in found] == [
        "checkpoint 'lost' is reached by no story; end a story with it or remove it"
    ]


@here
@pytest.mark.parametrize(
    ("file", "stories", "rules"),
    [
        ("stories.yml", 7, 0), ("stories_and_rules.yml", 2, 3), ("stories_with_cycle.yml", 4, 0),
        ("stories_checkpoint_after_or.yml", 2, 0), ("stories_e2e.yml", 3, 0), ("stories_hybrid_e2e.yml", 1, 0),
        ("rules_without_stories.yml", 0, 7), ("rules_with_stories_sorted.yaml", 2, 4), ("stories_restart.yml", 1, 0),
        ("story_with_or_and_entities.yml", 2, 0), ("story_slot_different_types.yml", 1, 0),
    ],
)  # fmt: skip
def test_rasas_story_fixtures_parse(file: str, stories: int, rules: int) -> None:
    from bot.domain_files import read_domain

    domain, found = read_domain(RASA / "testdata" / "test_yaml_stories" / file)
    assert (len(domain.stories), len(domain.rules)) == (stories, rules)
    assert not found.errors


@here
def test_rasas_domain_fixtures_parse_and_the_broken_ones_are_refused() -> None:
    from bot.domain_files import read_domain

    refused = {}
    for file in sorted((RASA / "testdata" / "test_domains").glob("*.yml")):
        try:
            refused[file.stem] = [str(error) for error in read_domain(file)[1].errors]
        except BadInput as error:
            refused[file.stem] = [str(error)]
    broken = {name for name, errors in refused.items() if errors}
    assert broken == {
        "duplicate_templates", "empty_response_format", "invalid_format", "wrong_custom_response_format",
        "wrong_response_format", "form", "default_with_slots",
    }  # fmt: skip


@here
def test_a_project_that_imports_others_reads_them() -> None:
    domain = load_domain(RASA / "testdata" / "test_multi_domain")
    assert {"greet", "goodbye", "affirm", "mood_great"} <= domain.intents.keys()
    assert {"utter_greet", "utter_cheer_up", "utter_goodbye"} <= domain.responses.keys()


def test_words_instead_of_names_are_followed_and_said(tmp_path: Path, new_desk: Any) -> None:
    steps = "[{user: I need a plane}, {bot: Where to?}, {intent: inform}, {bot: Fine.}]"
    domain = load_domain(
        write(tmp_path, domain="intents: [inform]\n", stories=f"stories:\n- {{story: s, steps: {steps}}}\n")
    )
    desk = new_desk(domain)
    assert desk.texts("I need a plane", intent="inform") == ["Where to?"]
    assert desk.texts("/inform") == ["Fine."]


def test_rasas_slot_classes_are_types(tmp_path: Path) -> None:
    slots = "slots: {a: {type: rasa.shared.core.slots.FloatSlot}, b: {type: my.package.OwnSlot}}\n"
    domain = load_domain(write(tmp_path, domain=slots))
    assert (domain.slots["a"].type, domain.slots["b"].type) == ("float", "my.package.OwnSlot")
