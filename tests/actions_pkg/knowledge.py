"""The action of Rasa's knowledgebasebot over its own data, read where it lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rasa_sdk import Action
from rasa_sdk.knowledge_base.actions import ActionQueryKnowledgeBase
from rasa_sdk.knowledge_base.storage import InMemoryKnowledgeBase

SHARED = Path(os.environ.get("DESKHAND_SHARED", Path(__file__).parents[3] / "shared"))
DATA = SHARED / "rasa" / "projects" / "knowledgebasebot" / "knowledge_base_data.json"

if DATA.is_file():

    class QueryKnowledgeBase(Action):
        """Makes the knowledge base when it runs: one that is kept cannot be handed to the server's worker process."""

        def name(self) -> str:
            return "action_query_knowledge_base"

        async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
            base = InMemoryKnowledgeBase(str(DATA))
            base.set_representation_function_of_object("hotel", lambda hotel: f"{hotel['name']} ({hotel['city']})")
            found: list[Any] = await ActionQueryKnowledgeBase(base).run(dispatcher, tracker, domain)
            return found
