"""Actions of the projects in tests/bot/dialogue/projects."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker, ValidationAction
from rasa_sdk.events import ActionExecuted, FollowupAction, SessionStarted, SlotSet
from rasa_sdk.executor import CollectingDispatcher

Events = list[dict[str, Any]]


class BankSession(Action):
    """The customer's name comes from outside; of the session before only the account is kept."""

    def name(self) -> str:
        return "action_session_start"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        metadata = tracker.get_slot("session_started_metadata") or {}
        kept = SlotSet("account_type", tracker.get_slot("account_type"))
        return [SessionStarted(), SlotSet("user_name", metadata.get("name", "stranger")), kept, ActionExecuted("x")]


class BankSwitch(Action):
    def name(self) -> str:
        return "action_bank_switch"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        dispatcher.utter_message(response="utter_switched")
        closed = {"event": "active_loop", "name": None, "timestamp": None}
        return [closed, SlotSet("requested_slot", None), SlotSet("amount", None), FollowupAction("bill_form")]


class FlightForm(FormValidationAction):
    def name(self) -> str:
        return "validate_flight_form"

    def validate_city_to(self, value: Any, dispatcher: Any, tracker: Tracker, domain: Any) -> dict[str, Any]:
        return {"city_to": None if value == tracker.get_slot("city_from") else value}


class AskReturn(Action):
    def name(self) -> str:
        return "action_ask_flight_form_return_trip"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        dispatcher.utter_message(text=f"And back from {tracker.get_slot('city_to')}?")
        return []


class Footprint(Action):
    def name(self) -> str:
        return "action_flight_footprint"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        dispatcher.utter_message(
            text=f"{2 if tracker.get_slot('return_trip') else 1} t, {tracker.get_slot('travel_class')}"
        )
        return [SlotSet("stops", [tracker.get_slot("city_from"), tracker.get_slot("city_to")])]


class Returnable(Action):
    def name(self) -> str:
        return "action_returnable"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        return [SlotSet("returnable", "yes" if str(tracker.get_slot("order_no")).endswith("1") else "no")]


class IncidentForm(FormValidationAction):
    def name(self) -> str:
        return "validate_open_incident_form"

    def validate_email(self, value: Any, dispatcher: Any, tracker: Tracker, domain: Any) -> dict[str, Any]:
        if "@" in str(value):
            return {"email": value}
        dispatcher.utter_message(response="utter_wrong_email")
        return {"email": None}


class AskProblem(Action):
    def name(self) -> str:
        return "action_ask_problem_description"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        dispatcher.utter_message(text="What is the problem?")
        return []


class AskAffirmation(Action):
    """The project's own in place of the default action of that name."""

    def name(self) -> str:
        return "action_default_ask_affirmation"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        dispatcher.utter_message(text="Is it about a ticket?", buttons=[{"title": "Yes", "payload": "/open_incident"}])
        return []


class CountMessages(Action):
    def name(self) -> str:
        return "action_count_messages"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        return [SlotSet("messages_so_far", tracker.get_slot("messages_so_far") + 1)]


class SlotMappings(ValidationAction):
    def validate_plan(self, value: Any, dispatcher: Any, tracker: Tracker, domain: Any) -> dict[str, Any]:
        return {"plan": str(value).lower()}


class ClaimForm(FormValidationAction):
    """Asks for one slot more than the domain says, until it is there."""

    def name(self) -> str:
        return "validate_claim_form"

    async def required_slots(self, slots: list[str], dispatcher: Any, tracker: Tracker, domain: Any) -> list[str]:
        return slots if tracker.get_slot("plan") == "gold" else [*slots, "plan"]
