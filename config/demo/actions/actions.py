"""The two custom actions and the validation of the two forms."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from . import replies
from .shop import Order, Shop, order_number

# The first that the customer's words match.
REASONS = {
    "faulty": r"fault|brok|defect|damage|\btear|torn|\brip|\bhole|leak|(doesn't|does not|not) work",
    "too_small": r"small|tight|short|narrow",
    "too_big": r"\bbig|large|wide|loose|\blong",
    "not_as_described": r"describ|picture|photo|colou?r|different|wrong",
    "changed_mind": r"\bmind|\blike|\bneed|\bwant|gift|present|cheaper",
}
CONDITIONS = {
    "unused": r"\b(un(used|worn)|not (been )?(used|worn)|haven't|never|no|nope|new|indoors)\b",
    "used": r"\b(used|worn|wore|yes|yep|outdoors|outside|washed)\b",
}


def meant(text: str, patterns: dict[str, str]) -> str | None:
    return next((name for name, pattern in patterns.items() if re.search(pattern, text, re.IGNORECASE)), None)


def known_order(value: Any, dispatcher: CollectingDispatcher) -> dict[str, Any]:
    """The slot with the number as the shop writes it, or None after telling the customer what is wrong with it."""
    number = order_number(str(value))
    if number is None:
        dispatcher.utter_message(text=replies.NOT_A_NUMBER)
    elif Shop.open().order(number) is None:
        dispatcher.utter_message(text=replies.unknown(number))
        number = None
    return {"order_number": number}


def order_of(tracker: Tracker) -> Order | None:
    number = order_number(str(tracker.get_slot("order_number")))
    return Shop.open().order(number) if number else None


class ValidateOrderStatusForm(FormValidationAction):
    def name(self) -> str:
        return "validate_order_status_form"

    def validate_order_number(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        return known_order(value, dispatcher)


class ActionOrderStatus(Action):
    def name(self) -> str:
        return "action_order_status"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        order = order_of(tracker)
        given = str(tracker.get_slot("order_number"))
        number = order_number(given)
        if order:
            dispatcher.utter_message(text=replies.status(order, date.today()))
        else:
            dispatcher.utter_message(text=replies.unknown(number) if number else replies.NOT_A_NUMBER)
        return [SlotSet("order_number", None)]


class ValidateReturnForm(FormValidationAction):
    def name(self) -> str:
        return "validate_return_form"

    async def required_slots(
        self, domain_slots: list[str], dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[str]:
        """No question that changes nothing: not for an order that cannot be returned, nor how worn a faulty item is."""
        order = order_of(tracker)
        if order and order.refusal(date.today()):
            return ["order_number"]
        if tracker.get_slot("return_reason") == "faulty":
            return ["order_number", "return_reason"]
        return domain_slots

    def validate_order_number(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        return known_order(value, dispatcher)

    def validate_return_reason(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        known = value in (*REASONS, "other")
        return {"return_reason": value if known else meant(str(value), REASONS) or "other"}

    def validate_return_condition(
        self, value: Any, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> dict[str, Any]:
        condition = meant(str(value), CONDITIONS)
        if condition is None:
            dispatcher.utter_message(text="Please tell me whether it is unused, or has been used or worn outdoors.")
        return {"return_condition": condition}


class ActionStartReturn(Action):
    def name(self) -> str:
        return "action_start_return"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        dispatcher.utter_message(text=self._reply(tracker))
        return [SlotSet(name, None) for name in ("order_number", "return_reason", "return_condition")]

    def _reply(self, tracker: Tracker) -> str:
        order = order_of(tracker)
        if order is None:
            number = order_number(str(tracker.get_slot("order_number")))
            return replies.unknown(number) if number else replies.NOT_A_NUMBER
        reason = tracker.get_slot("return_reason") or "other"
        condition = tracker.get_slot("return_condition") or "unknown"
        if refused := order.refusal(date.today()):
            return replies.refusal(order, refused)
        if condition == "used" and reason != "faulty":
            return replies.worn(order)
        try:
            code = Shop.open().start_return(order.number, reason, condition)
        except ValueError as refused_now:
            return replies.refusal(Shop.open().order(order.number) or order, str(refused_now))
        return replies.started(order, code)
