"""Rasa's `config.yml`, `endpoints.yml` and `credentials.yml`: what has a counterpart here, and what has none. Pure but
for reading the files; nothing of them is changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bot.yaml_file import Block, Items, Place, plain, read_yaml
from retrieval.errors import BadInput

Verdict = Literal["works", "differs", "unsupported"]


@dataclass(frozen=True, order=True)
class Finding:
    """One line of a Rasa project and what becomes of it."""

    place: Place
    verdict: Verdict
    text: str


@dataclass
class RasaConfig:
    """`channels` are those of `credentials.yml` under our names and keys, fit for `deskhand.yml`; `environment` are
    settings that belong into the environment, because they are places and secrets."""

    findings: list[Finding] = field(default_factory=list)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    language: str = "en"

    def note(self, place: Place, verdict: Verdict, text: str) -> None:
        self.findings.append(Finding(place, verdict, text))


ENCODER = "the encoder and the intent head of the bundle take its place"
TAGGER = "a head on the encoder's tokens is trained on annotated examples, where it beats looking words up"
COMPONENTS: dict[str, tuple[Verdict, str]] = {
    **dict.fromkeys(
        (
            "WhitespaceTokenizer", "JiebaTokenizer", "MitieTokenizer", "SpacyTokenizer", "SpacyNLP", "MitieNLP",
            "CountVectorsFeaturizer", "LexicalSyntacticFeaturizer", "LanguageModelFeaturizer", "ConveRTFeaturizer",
            "SpacyFeaturizer", "MitieFeaturizer", "RegexFeaturizer",
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
POLICIES: dict[str, tuple[Verdict, str]] = {
    "RulePolicy": ("works", "rules, forms and the default actions behave as in Rasa"),
    "MemoizationPolicy": (
        "works",
        "stories are remembered, and as AugmentedMemoizationPolicy older turns are forgotten",
    ),
    "AugmentedMemoizationPolicy": ("works", "stories are remembered, older turns are forgotten one by one"),
    "TEDPolicy": ("differs", "a smaller learned policy generalises from stories; docs/dialogue.md"),
    "UnexpecTEDIntentPolicy": ("unsupported", "action_unlikely_intent is never predicted"),
}
OPTIONS: dict[str, tuple[Verdict, str]] = {
    "max_history": ("differs", "whole stories are compared, and shorter pieces of the conversation when none fits"),
    "core_fallback_threshold": ("differs", "what no rule or story knows goes down the ladder of docs/dialogue.md"),
    "core_fallback_action_name": ("differs", "instead, the ladder of docs/dialogue.md ends with a person"),
    "enable_fallback_prediction": ("differs", "the ladder of docs/dialogue.md always ends with a person"),
    "restrict_rules": ("differs", "rules may have several customer turns"),
    "constrain_similarities": ("works", ENCODER),
    "ambiguity_threshold": ("differs", "when two candidates are close the bot asks which one is meant"),
}


def read_rasa_config(project: Path) -> RasaConfig:
    """What the three files of a project ask for. Raises BadInput for what is no YAML."""
    found = RasaConfig()
    for name, read in (("config", _config), ("endpoints", _endpoints), ("credentials", _credentials)):
        for path in (project / f"{name}.yml", project / f"{name}.yaml"):
            if path.is_file():
                read(read_yaml(path, expand=False), found)
    found.findings.sort()
    return found


def action_url(project: Path) -> str | None:
    """`action_endpoint` of an `endpoints.yml` of the folder; only its own variables have to be set."""
    path = project / "endpoints.yml"
    endpoint = read_yaml(path, expand=False).get("action_endpoint") if path.is_file() else None
    if not isinstance(endpoint, Block) or not endpoint.get("url"):
        return None
    url = os.path.expandvars(str(endpoint["url"]))
    if "${" in url:
        raise BadInput(f"{endpoint.at('url')}: {url} names a variable that is not set; export it, or write the address")
    return url


def _config(block: Block, found: RasaConfig) -> None:
    found.language = str(block.get("language") or "en")
    if found.language != "en":
        text = "the encoder goes by the language of the examples (docs/training.md)"
        found.note(block.at("language"), "differs", f"language {found.language!r}: {text}")
    for key, known in (("pipeline", COMPONENTS), ("policies", POLICIES)):
        for place, item in _items(block, key):
            _component(place, item, known, key, found)
    for key in ("importers", "spaces"):
        for place, item in _items(block, key):
            name = str(item.get("name") if isinstance(item, Block) else item)
            supported = name in ("MultiProjectImporter", "RasaFileImporter")
            found.note(place, "works" if supported else "unsupported", f"{key}: {name}")
    if block.get("imports"):
        found.note(block.at("imports"), "works", "imported projects are read, too")


def _component(place: Place, item: Any, known: dict[str, tuple[Verdict, str]], key: str, found: RasaConfig) -> None:
    name = str(item.get("name") if isinstance(item, Block) else item)
    short = name.rpartition(".")[2]
    if "." in name and not name.startswith("rasa."):
        found.note(place, "unsupported", f"{name}: components of your own are not loaded")
        return
    verdict, text = known.get(short, ("unsupported", f"no counterpart among our {key}"))
    found.note(place, verdict, f"{short}: {text}")
    for option in item if isinstance(item, Block) else ():
        if option in OPTIONS:
            verdict, text = OPTIONS[option]
            found.note(item.at(option), verdict, f"{short}.{option}: {text}")


def _items(block: Block, key: str) -> Iterator[tuple[Place, Any]]:
    value = block.get(key)
    if isinstance(value, Items):
        yield from value.placed()
    elif value is not None:
        yield block.at(key), str(value)


ENDPOINTS: dict[str, tuple[Verdict, str]] = {
    "lock_store": ("works", "Redis keeps conversations in order, in any number of server processes"),
    "event_broker": ("unsupported", "no event broker; webhooks out tell other systems"),
    "nlg": ("unsupported", "no server that words responses; responses are those of the domain"),
    "models": ("unsupported", "no model server: bundles are directories, a server takes the promoted one by itself"),
    "nlu": ("unsupported", "no separate NLU server: a bundle understands messages in the server itself"),
}


def _endpoints(block: Block, found: RasaConfig) -> None:
    for key, value in block.items():
        place, options = block.at(key), value if isinstance(value, Block) else Block()
        if key == "action_endpoint":
            _action_endpoint(place, options, found)
        elif key == "tracker_store":
            _tracker_store(place, options, found)
        elif key in ENDPOINTS:
            verdict, text = ENDPOINTS[key]
            found.note(place, verdict, f"{key}: {text}")
        else:
            found.note(place, "unsupported", f"{key}: nothing reads it")


def _action_endpoint(place: Place, options: Block, found: RasaConfig) -> None:
    url = str(options.get("url") or "")
    if not url:
        found.note(
            place, "unsupported", "action_endpoint has no url; gRPC and in-process action servers are not called"
        )
        return
    found.environment["DESKHAND_ACTIONS_URL"] = url
    found.note(place, "works", f"actions run on {url}; DESKHAND_ACTIONS_URL changes it")
    for key in options.keys() & {"headers", "token", "cafile", "actions_module", "selective_domain"}:
        found.note(options.at(key), "unsupported", f"action_endpoint.{key} is not sent")


def _tracker_store(place: Place, options: Block, found: RasaConfig) -> None:
    kind = str(options.get("type") or "").lower()
    if kind == "redis":
        host, port = options.get("url", "localhost"), options.get("port", 6379)
        found.environment["DESKHAND_REDIS_URL"] = f"redis://{host}:{port}/{options.get('db', 0)}"
        found.note(place, "differs", "conversations are kept in Redis, in our own form; set DESKHAND_REDIS_URL")
    elif kind == "sql" and "postgres" in str(options.get("dialect")):
        found.note(place, "differs", "Redis keeps running conversations; set DESKHAND_DATABASE_URL for closed ones")
    else:
        found.note(place, "differs", f"tracker_store {kind or 'in memory'}: Redis keeps conversations, SQL closed ones")


SOCKETIO = {
    "user_message_evt": "user_event", "bot_message_evt": "bot_event", "namespace": "namespace",
    "session_persistence": "session_persistence", "socketio_path": "path", "metadata_key": "metadata_key",
    "jwt_method": "jwt_method",
}  # fmt: skip


def _credentials(block: Block, found: RasaConfig) -> None:
    for key, value in block.items():
        place, options = block.at(key), value if isinstance(value, Block) else Block()
        match key:
            case "rest":
                found.channels["rest"] = {"enabled": True}
                found.note(place, "works", "rest: POST /webhooks/rest/webhook, also with ?stream=true")
            case "callback":
                found.channels["callback"] = {"enabled": True, "url": str(options.get("url") or "")}
                found.note(place, "works", f"callback: replies are posted to {options.get('url')}")
            case "socketio":
                _socketio(place, options, found)
            case "rasa":
                found.note(place, "unsupported", "rasa: the API of Rasa X; the operators' API is /api/v1")
            case _:
                cure = "connect it with the REST or callback channel"
                found.note(place, "unsupported", f"channel {key} has no counterpart; {cure}")


def _socketio(place: Place, options: Block, found: RasaConfig) -> None:
    given = {ours: plain(options[theirs]) for theirs, ours in SOCKETIO.items() if options.get(theirs) is not None}
    found.channels["socketio"] = {"enabled": True, **given}
    found.note(place, "works", "socketio: same events, session ids and payloads")
    if options.get("jwt_key"):
        found.environment["DESKHAND_SOCKETIO_JWT_KEY"] = "<the value of jwt_key>"
        found.note(options.at("jwt_key"), "differs", "jwt_key is a secret: set DESKHAND_SOCKETIO_JWT_KEY to it")


def counted(findings: Iterable[Finding]) -> dict[Verdict, int]:
    counts: dict[Verdict, int] = {"works": 0, "differs": 0, "unsupported": 0}
    for finding in findings:
        counts[finding.verdict] += 1
    return counts
