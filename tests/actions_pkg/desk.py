"""The actions of the small desk in tests/conversations: an order status, a return, and some that misbehave."""

from __future__ import annotations

import datetime
import time
from typing import Any

from rasa_sdk import Action, FormValidationAction, events
from rasa_sdk.events import (
    AllSlotsReset,
    BotUttered,
    ConversationPaused,
    FollowupAction,
    ReminderScheduled,
    SlotSet,
)
from rasa_sdk.interfaces import ActionExecutionRejection

SHIPPED = {"AB-1001": "is on its way", "AB-1002": "was delivered"}


class OrderStatus(Action):
    def name(self) -> str:
        return "action_order_status"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        number = tracker.get_slot("order_number")
        dispatcher.utter_message(
            text=f"Order {number} {SHIPPED[number]}.", buttons=[{"title": "Return it", "payload": "/start_return"}]
        )
        return []


class ValidateOrderStatusForm(FormValidationAction):
    def name(self) -> str:
        return "validate_order_status_form"

    def validate_order_number(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        if str(value).upper() in SHIPPED:
            return {"order_number": str(value).upper()}
        dispatcher.utter_message(response="utter_unknown_order", number=value)
        return {"order_number": None}


class ValidateReturnForm(FormValidationAction):
    """Asks for a photo only when something is broken."""

    def name(self) -> str:
        return "validate_return_form"

    async def required_slots(self, domain_slots: list[str], dispatcher: Any, tracker: Any, domain: Any) -> list[str]:
        return [*domain_slots, *(["photo"] if tracker.get_slot("reason") == "broken" else [])]


class StartReturn(Action):
    def name(self) -> str:
        return "action_start_return"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message(response="utter_return_started")
        return [SlotSet("reason", None), SlotSet("photo", None)]


class Slow(Action):
    def name(self) -> str:
        return "action_slow"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        time.sleep(2)
        return []


class Crash(Action):
    def name(self) -> str:
        return "action_crash"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        raise ValueError("the shop is on fire")


class Refuse(Action):
    def name(self) -> str:
        return "action_refuse"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        raise ActionExecutionRejection("action_refuse", "not for this message")


class Everything(Action):
    """Returns every event the SDK can make that has an effect."""

    def name(self) -> str:
        return "action_everything"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        due = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)  # noqa: UP017 - also runs on Python 3.10
        return [
            SlotSet("reason", "late"),
            AllSlotsReset(),
            BotUttered("by the way"),
            ReminderScheduled("check_order", due, name="later"),
            FollowupAction("utter_goodbye"),
        ]


class EveryEvent(Action):
    """Returns one of each of the SDK's events, those without effect here included."""

    def name(self) -> str:
        return "action_every_event"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return [
            events.SlotSet("reason", "late"),
            events.AllSlotsReset(),
            events.ActiveLoop("return_form"),
            events.ActiveLoop(None),
            events.ConversationPaused(),
            events.ConversationResumed(),
            events.BotUttered("by the way"),
            events.AgentUttered("I looked into it", {"from": "the back office"}),
            events.StoryExported(),
            events.ReminderScheduled("ask_hours", datetime.datetime(2030, 1, 1), name="later"),
            events.ReminderCancelled(name="later"),
            events.ActionExecuted("utter_hours"),
            events.ActionReverted(),
            events.ActionExecutionRejected("utter_hours"),
            events.FollowupAction("utter_goodbye"),
            events.UserUttered("hello", parse_data={"intent": {"name": "greet", "confidence": 0.9}, "entities": []}),
            events.UserUtteranceReverted(),
            events.SessionStarted(),
            events.Restarted(),
        ]


class Silence(Action):
    def name(self) -> str:
        return "action_silence"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message(text="I say no more.")
        return [ConversationPaused()]


class Echo(Action):
    """Says what it was sent, so that a test sees the tracker with the SDK's eyes."""

    def name(self) -> str:
        return "action_echo"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        kinds = [event["event"] for event in tracker.events]
        entity = next(tracker.get_latest_entity_values("order_number"), None)
        dispatcher.utter_message(
            json_message={
                "kinds": kinds,
                "sender": tracker.sender_id,
                "entity": entity,
                "intent": tracker.get_intent_of_latest_message(),
                "channel": tracker.get_latest_input_channel(),
                "forms": sorted(domain["forms"]),
            }
        )
        return []
