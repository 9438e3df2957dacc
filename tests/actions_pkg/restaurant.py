"""Validation of the restaurant form of Rasa's formbot, written from its description."""

from __future__ import annotations

from typing import Any

from rasa_sdk import FormValidationAction

CUISINES = {"caribbean", "chinese", "french", "greek", "indian", "italian", "mexican"}


class ValidateRestaurantForm(FormValidationAction):
    def name(self) -> str:
        return "validate_restaurant_form"

    def validate_cuisine(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        if str(value).lower() in CUISINES:
            return {"cuisine": value}
        dispatcher.utter_message(response="utter_wrong_cuisine")
        return {"cuisine": None}

    def validate_num_people(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        if str(value).isdigit() and int(value) > 0:
            return {"num_people": value}
        dispatcher.utter_message(response="utter_wrong_num_people")
        return {"num_people": None}

    def validate_outdoor_seating(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        if isinstance(value, bool):
            return {"outdoor_seating": value}
        if "out" in str(value):
            return {"outdoor_seating": True}
        if "in" in str(value):
            return {"outdoor_seating": False}
        dispatcher.utter_message(response="utter_wrong_outdoor_seating")
        return {"outdoor_seating": None}
