"""schemathesis calls every route of `/api/v1` with what its schema allows and what it does not.

No 5xx, and no answer that the schema does not describe.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as search
from live_desk import live
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving_desk import OPERATOR

from bot.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 12


@pytest.mark.slow
def test_no_answer_of_the_api_is_a_5xx_or_outside_its_schema(settings: Settings) -> None:
    with live(settings) as (_, url):
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json").include(path_regex="^/api/v1/")
        called = 0
        wrong: list[str] = []
        for result in schema.get_all_operations():
            operation = result.ok()
            called += 1

            @search(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def conforms(case: schemathesis.Case) -> None:
                response = case.call(headers=OPERATOR, timeout=40)
                case.validate_response(response, checks=CHECKS, headers=OPERATOR)

            try:
                conforms()
            except Exception as error:
                wrong.append(f"{operation.method} {operation.path}: {error}")
        assert called > 40
        assert not wrong, "\n\n".join(wrong)
