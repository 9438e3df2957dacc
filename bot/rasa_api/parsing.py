"""What a message means, in Rasa's `/model/parse` shape. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.domain import Domain
from bot.events import UserSaid
from bot.payload import parse_payload

EXTRACTOR = "deskhand"
EXPLICIT = "RegexMessageHandler"
_TOKEN = re.compile(r"\w+(?:['’]\w+)*")

Ranking = Sequence[tuple[str, float]]


def parse_data(said: UserSaid, domain: Domain) -> dict[str, Any]:
    """What a stored message was understood as. An intent that a program named is shown as it was named."""
    ranking = [(str(one["name"]), float(one["confidence"])) for one in said.ranking]
    explicit = parse_payload(said.text) is not None
    found = understood(said.text, ranking, said.entities, domain, explicit=explicit or not said.ranking, said=said)
    return {**found, "message_id": said.message_id or None, "metadata": said.metadata}


def understood(
    text: str,
    ranking: Ranking,
    entities: Iterable[Mapping[str, Any]],
    domain: Domain,
    *,
    explicit: bool = False,
    said: UserSaid | None = None,
) -> dict[str, Any]:
    """`explicit`: nothing was guessed, so there is no ranking, no tokens and no response selector."""
    kept = [_entity(one, explicit=explicit) for one in entities if not explicit or one.get("entity") in domain.entities]
    if explicit:
        intent = {"name": said.intent, "confidence": said.confidence} if said else {"name": None, "confidence": 0.0}
        return {"text": text, "intent": intent, "entities": kept, "intent_ranking": [intent] if said else []}
    grouped = _grouped(ranking)
    return {
        "text": text,
        "intent": grouped[0] if grouped else {"name": None, "confidence": 0.0},
        "entities": kept,
        "text_tokens": [[match.start(), match.end()] for match in _TOKEN.finditer(text)],
        "intent_ranking": grouped,
        "response_selector": _selector(ranking, domain),
    }


def _entity(one: Mapping[str, Any], *, explicit: bool) -> dict[str, Any]:
    found = {key: one[key] for key in ("entity", "start", "end") if key in one}
    if not explicit:
        found["confidence_entity"] = float(one.get("confidence", one.get("confidence_entity", 1.0)))
    found |= {key: one[key] for key in ("role", "group", "additional_info") if one.get(key) is not None}
    return {**found, "value": one.get("value"), "extractor": EXPLICIT if explicit else EXTRACTOR}


def _grouped(ranking: Ranking) -> list[dict[str, Any]]:
    """Retrieval intents (`faq/ask_x`) count as one (`faq`), as in Rasa."""
    shares: dict[str, float] = {}
    for name, confidence in ranking:
        base = name.partition("/")[0]
        shares[base] = min(1.0, shares.get(base, 0.0) + confidence)
    best = sorted(shares.items(), key=lambda item: -item[1])
    found: list[dict[str, Any]] = [{"name": name, "confidence": confidence} for name, confidence in best]
    if found and "/" in ranking[0][0] and ranking[0][0].startswith(f"{found[0]['name']}/"):
        found[0]["full_retrieval_intent_name"] = ranking[0][0]
    return found


def _selector(ranking: Ranking, domain: Domain) -> dict[str, Any]:
    keys = [(name, confidence) for name, confidence in ranking if "/" in name]
    total = sum(confidence for _, confidence in keys)
    ranked = [{"confidence": p / total if total else 0.0, "intent_response_key": name} for name, p in keys]
    first = ranked[0] if ranked else {"confidence": 0.0, "intent_response_key": None}
    key = first["intent_response_key"]
    responses = domain.raw.get("responses", {}).get(f"utter_{key}")
    return {
        "all_retrieval_intents": sorted(retrieval_intents(domain)),
        "default": {"response": {"responses": responses, **first, "utter_action": f"utter_{key}"}, "ranking": ranked},
    }


def retrieval_intents(domain: Domain) -> set[str]:
    named = (example.intent for example in domain.nlu.examples)
    return {name.partition("/")[0] for name in named if "/" in name} & domain.intents.keys()


def as_luis(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the shape of Microsoft's LUIS v3 (`?emulation_mode=LUIS`)."""
    entities: dict[str, Any] = {}
    instances: dict[str, list[dict[str, Any]]] = {}
    for one in found["entities"]:
        role = str(one.get("role") or one["entity"])
        entities.setdefault(role, []).append(one["value"])
        start, end = one.get("start", 0), one.get("end", 0)
        instances.setdefault(role, []).append(
            {"role": one.get("role"), "type": one["entity"], "text": found["text"][start:end], "startIndex": start,
             "length": end - start, "score": one.get("confidence_entity"), "modelType": one.get("extractor")}
        )  # fmt: skip
    return {
        "query": found["text"],
        "prediction": {
            "normalizedQuery": found["text"],
            "topIntent": found["intent"]["name"],
            "intents": {one["name"]: {"score": one["confidence"]} for one in found["intent_ranking"]},
            "entities": {**entities, "$instance": instances},
        },
    }
