from __future__ import annotations

import base64
import json
import time

import pytest

from bot.widget.tokens import RENEWABLE_S, Tokens
from retrieval.errors import NotAllowed

SECRET = "a secret of these tests that nobody else has"


def test_a_token_speaks_for_one_conversation_of_one_site() -> None:
    tokens = Tokens(SECRET, hours=1)
    token, session = tokens.issue("demo", "w-1")
    assert tokens.read(token) == session
    assert (session.site, session.conversation) == ("demo", "w-1")
    assert 3590 < session.expires_at - time.time() <= 3600


@pytest.mark.parametrize("bad", ["", ".", "x.y", "é.é", "." * 100, "e30.e30"])
def test_what_was_not_issued_here_is_refused(bad: str) -> None:
    with pytest.raises(NotAllowed, match="not issued here"):
        Tokens(SECRET, hours=1).read(bad)


def test_a_token_with_another_conversation_in_it_is_refused() -> None:
    tokens = Tokens(SECRET, hours=1)
    token, session = tokens.issue("demo", "w-1")
    forged = base64.urlsafe_b64encode(json.dumps(["demo", "w-2", session.expires_at]).encode()).rstrip(b"=").decode()
    with pytest.raises(NotAllowed, match="not issued here"):
        tokens.read(forged + "." + token.partition(".")[2])


def test_a_token_signed_with_another_secret_is_refused() -> None:
    token, _ = Tokens("another secret", hours=1).issue("demo", "w-1")
    with pytest.raises(NotAllowed, match="not issued here"):
        Tokens(SECRET, hours=1).read(token)


def test_an_old_token_is_refused_but_may_be_renewed_for_a_month() -> None:
    token, session = Tokens(SECRET, hours=-1).issue("demo", "w-1")
    tokens = Tokens(SECRET, hours=1)
    with pytest.raises(NotAllowed, match="run out"):
        tokens.read(token)
    assert tokens.read(token, grace_s=RENEWABLE_S) == session
    ancient, _ = Tokens(SECRET, hours=-24 * 31).issue("demo", "w-1")
    with pytest.raises(NotAllowed, match="run out"):
        tokens.read(ancient, grace_s=RENEWABLE_S)
