"""Rasa's `config.yml`: which components and policies have a counterpart here. Pure."""

from __future__ import annotations

from typing import Any

from bot.rasa_project.findings import Findings, Verdict, listed
from bot.yaml_file import Block, Place

ENCODER = "the encoder and the intent head of the bundle take its place"
TAGGER = "a head on the encoder's tokens is trained on annotated examples, where it beats looking words up"
COMPONENTS: dict[str, tuple[Verdict, str]] = {
    **dict.fromkeys(
        (
            "WhitespaceTokenizer", "JiebaTokenizer", "MitieTokenizer", "SpacyTokenizer", "SpacyNLP", "MitieNLP",
            "CountVectorsFeaturizer", "LexicalSyntacticFeaturizer", "LanguageModelFeaturizer", "ConveRTFeaturizer",
            "SpacyFeaturizer", "MitieFeaturizer", "RegexFeaturizer", "HFTransformersNLP", "LanguageModelTokenizer",
            "ConveRTTokenizer", "EmbeddingIntentClassifier", "supervised_embeddings", "pretrained_embeddings_spacy",
            "pretrained_embeddings_convert",
            "LogisticRegressionClassifier", "SklearnIntentClassifier", "MitieIntentClassifier",
        ),
        ("works", ENCODER),
    ),
    "DIETClassifier": (
        "differs",
        f"{ENCODER}; for entities {TAGGER}",
    ),
    "CRFEntityExtractor": ("differs", TAGGER),
    "KeywordIntentClassifier": ("differs", f"{ENCODER}: words that are like the keywords count, too"),
    "RegexEntityExtractor": ("works", "regexes and lookups find entities"),
    "EntitySynonymMapper": ("works", "synonyms are put in"),
    "ResponseSelector": ("works", "`faq/ask_x` is an intent of its own, and `utter_faq` says `utter_faq/ask_x`"),
    "FallbackClassifier": (
        "differs",
        "how sure is sure enough is fitted in training instead of `threshold`; a rule on `nlu_fallback` works",
    ),
    "DucklingEntityExtractor": (
        "differs",
        "`number`, `amount-of-money`, `time`, `email`, `phone-number`, `url` are found without Duckling, in English; "
        "for other dimensions write `regex:` or `lookup:`",
    ),
    "SpacyEntityExtractor": ("unsupported", "no spaCy: write `lookup:` or `regex:` for its entities"),
    "MitieEntityExtractor": ("unsupported", "no MITIE: write `lookup:` or `regex:` for its entities"),
}  # fmt: skip
TED = "a smaller learned policy generalises from stories; docs/dialogue.md"
TWO_STAGES = "`nlu_fallback`, `action_two_stage_fallback`, `active_loop: action_two_stage_fallback`"
POLICIES: dict[str, tuple[Verdict, str]] = {
    "RulePolicy": ("works", "rules, forms and the default actions behave as in Rasa"),
    "MemoizationPolicy": (
        "works",
        "stories are remembered, and as AugmentedMemoizationPolicy older turns are forgotten",
    ),
    "AugmentedMemoizationPolicy": ("works", "stories are remembered, older turns are forgotten one by one"),
    "TEDPolicy": ("differs", TED),
    "UnexpecTEDIntentPolicy": ("unsupported", "action_unlikely_intent is never predicted"),
    "MappingPolicy": ("unsupported", "gone since Rasa 3: write a rule for each `triggers:`"),
    "FormPolicy": ("unsupported", "gone since Rasa 3: forms open and close by rules and stories"),
    "FallbackPolicy": ("unsupported", "gone since Rasa 3: write a rule on `nlu_fallback`"),
    "TwoStageFallbackPolicy": ("unsupported", f"gone since Rasa 3: write the rule {TWO_STAGES}"),
    **dict.fromkeys(("KerasPolicy", "EmbeddingPolicy", "SklearnPolicy"), ("unsupported", "gone since Rasa 3; " + TED)),
}
OPTIONS: dict[str, tuple[Verdict, str]] = {
    "max_history": ("differs", "whole stories are compared, and shorter pieces of the conversation when none fits"),
    "core_fallback_threshold": ("differs", "what no rule or story knows goes down the ladder of docs/dialogue.md"),
    "core_fallback_action_name": ("differs", "instead, the ladder of docs/dialogue.md ends with a person"),
    "enable_fallback_prediction": ("differs", "the ladder of docs/dialogue.md always ends with a person"),
    "restrict_rules": ("differs", "rules may have several customer turns"),
    "ambiguity_threshold": ("differs", "when two candidates are close the bot asks which one is meant"),
}


KEYS = frozenset({"recipe", "assistant_id", "language", "pipeline", "policies", "importers", "imports", "spaces"})
IMPORTERS = frozenset({"MultiProjectImporter", "RasaFileImporter", "TrainingDataImporter"})


def read_config(block: Block, found: Findings) -> None:
    found.language = str(block.get("language") or "en")
    if found.language != "en":
        text = "the encoder goes by the language of the examples (docs/training.md)"
        found.note(block.at("language"), "differs", f"language {found.language!r}: {text}")
    for key, known in (("pipeline", COMPONENTS), ("policies", POLICIES)):
        for place, item in listed(block, key):
            _component(place, item, known, key, found)
    for key in ("importers", "spaces"):
        for place, item in listed(block, key):
            name = str(item.get("name") if isinstance(item, Block) else item)
            if name.rpartition(".")[2] in IMPORTERS:
                found.note(place, "works", f"{key}: {name}: `imports:` are read")
            else:
                text = "is not run; write what it imports as files of the project"
                found.note(place, "unsupported", f"{key}: {name} {text}")
    if block.get("recipe") not in (None, "default.v1"):
        text = "only components that default.v1 knows have a counterpart"
        found.note(block.at("recipe"), "unsupported", f"recipe {block['recipe']}: {text}")
    if block.get("imports"):
        found.note(block.at("imports"), "works", "imported projects are read, too")
    for key in block.keys() - KEYS:
        found.note(block.at(key), "unsupported", f"{key}: nothing reads it")


def _component(place: Place, item: Any, known: dict[str, tuple[Verdict, str]], key: str, found: Findings) -> None:
    name = str(item.get("name") if isinstance(item, Block) else item)
    short = name.rpartition(".")[2]
    if "." in name and not name.startswith("rasa."):
        found.note(place, "unsupported", f"{name}: components of your own are not loaded")
        return
    verdict, text = known.get(short, ("unsupported", f"no counterpart among our {key}"))
    found.note(place, verdict, f"{short}: {text}")
    if isinstance(item, Block) and verdict != "unsupported":
        _options(short, item, found)


def _options(component: str, item: Block, found: Findings) -> None:
    for option in item:
        if option in OPTIONS:
            verdict, text = OPTIONS[option]
            found.note(item.at(option), verdict, f"{component}.{option}: {text}")
    others = [option for option in item if option not in {"name", *OPTIONS}]
    if others:
        text = "are settings of Rasa's own component; config/training.yml has ours"
        found.note(item.at(others[0]), "differs", f"{component}: {', '.join(others)} {text}")
