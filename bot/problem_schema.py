"""The OpenAPI schema with the failures as they really look: problem JSON in place of FastAPI's own 422."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from bot.api.examples import add_examples
from bot.api.route import FieldError, Problem, problems

UNUSED = ("HTTPValidationError", "ValidationError")


def describe_problems(app: FastAPI) -> None:
    """From now on `app.openapi()` says so."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = original()
            _mend(made)
            add_examples(made)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _mend(schema: dict[str, Any]) -> None:
    models = schema.setdefault("components", {}).setdefault("schemas", {})
    models["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    models["FieldError"] = FieldError.model_json_schema()
    models["Problem"].pop("$defs", None)
    for unused in UNUSED:
        models.pop(unused, None)
    for path in schema["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if "HTTPValidationError" in str(responses.get("422")):
                responses["422"] = problems(422)[422]
