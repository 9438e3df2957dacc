"""The actions of Rasa's reminderbot, written from its description."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rasa_sdk import Action
from rasa_sdk.events import ReminderCancelled, ReminderScheduled

EXAMPLE = (
    'Trigger an intent with: \ncurl -H "Content-Type: application/json" -X POST -d \'{{"name": "EXTERNAL_dry_plant", '
    '"entities": {{"plant": "Orchid"}}}}\' '
    '"http://localhost:5005/conversations/{id}/trigger_intent?output_channel=latest"'
)


class SetReminder(Action):
    def name(self) -> str:
        return "action_set_reminder"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message("I will remind you in 5 seconds.")
        due = datetime.now() + timedelta(minutes=5)  # on a slow machine the script must not be overtaken
        people = tracker.latest_message.get("entities")
        return [
            ReminderScheduled("EXTERNAL_reminder", due, entities=people, name="my_reminder", kill_on_user_message=False)
        ]


class ForgetReminders(Action):
    def name(self) -> str:
        return "action_forget_reminders"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message("Okay, I'll cancel all your reminders.")
        return [ReminderCancelled()]


class ReactToReminder(Action):
    def name(self) -> str:
        return "action_react_to_reminder"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        name = tracker.get_slot("PERSON") or "someone"
        dispatcher.utter_message(f"Remember to call {name}!")
        return []


class TellId(Action):
    def name(self) -> str:
        return "action_tell_id"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        dispatcher.utter_message(f"The ID of this conversation is '{tracker.sender_id}'.")
        dispatcher.utter_message(EXAMPLE.format(id=tracker.sender_id))
        return []


class WarnDry(Action):
    def name(self) -> str:
        return "action_warn_dry"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        plant = next(tracker.get_latest_entity_values("plant"), "someone")
        dispatcher.utter_message(f"Your {plant} needs some water!")
        return []
