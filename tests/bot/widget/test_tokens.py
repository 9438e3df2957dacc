from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest

from bot.widget.tokens import RENEWABLE_S, Tokens, User, new_visitor
from retrieval.errors import NotAllowed

SECRET = "a secret of these tests that nobody else has"


def test_a_token_speaks_for_one_visitor_of_one_site() -> None:
    tokens = Tokens(SECRET, minutes=60)
    token, session = tokens.issue("demo", "v1", User("ada", {"plan": "pro"}))
    assert tokens.read(token) == session
    assert (session.site, session.conversation, session.user) == ("demo", "w-v1", User("ada", {"plan": "pro"}))
    assert 3590 < session.expires_at - time.time() <= 3600


def test_a_visitor_owns_their_threads_and_nothing_else() -> None:
    mine, other = new_visitor(), new_visitor()
    _, session = Tokens(SECRET, minutes=60).issue("demo", mine)
    assert session.owns(session.thread(""))
    assert session.owns(session.thread("2"))
    assert not session.owns(f"w-{other}")
    assert not session.owns(f"w-{mine}x")
    assert "." not in mine
    assert len(mine) == 24


@pytest.mark.parametrize("bad", ["", ".", "x.y", "é.é", "." * 100, "e30.e30"])
def test_what_was_not_issued_here_is_refused(bad: str) -> None:
    with pytest.raises(NotAllowed, match="not issued here"):
        Tokens(SECRET, minutes=60).read(bad)


def test_a_token_with_another_visitor_in_it_is_refused() -> None:
    tokens = Tokens(SECRET, minutes=60)
    token, session = tokens.issue("demo", "v1")
    content = json.dumps(["demo", "v2", session.expires_at, None]).encode()
    forged = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    with pytest.raises(NotAllowed, match="not issued here"):
        tokens.read(forged + "." + token.partition(".")[2])


def test_a_token_signed_with_another_secret_is_refused() -> None:
    token, _ = Tokens("another secret", minutes=60).issue("demo", "v1")
    with pytest.raises(NotAllowed, match="not issued here"):
        Tokens(SECRET, minutes=60).read(token)


def test_an_old_token_is_refused_but_may_be_renewed_for_a_month() -> None:
    token, session = Tokens(SECRET, minutes=-1).issue("demo", "v1")
    tokens = Tokens(SECRET, minutes=60)
    with pytest.raises(NotAllowed, match="run out"):
        tokens.read(token)
    assert tokens.read(token, grace_s=RENEWABLE_S) == session
    ancient, _ = Tokens(SECRET, minutes=-60 * 24 * 31).issue("demo", "v1")
    with pytest.raises(NotAllowed, match="run out"):
        tokens.read(ancient, grace_s=RENEWABLE_S)


def test_the_proof_of_a_user_is_the_hmac_that_the_page_of_sites_says() -> None:
    tokens = Tokens(SECRET, minutes=60)
    secret = tokens.identity_secret("shop")
    assert tokens.proof("shop", "ada") == hmac.new(secret.encode(), b"ada", hashlib.sha256).hexdigest()
    assert secret != tokens.identity_secret("other")


def test_a_user_is_the_same_visitor_everywhere_on_one_site_only() -> None:
    tokens = Tokens(SECRET, minutes=60)
    assert tokens.visitor_of("shop", "ada") == tokens.visitor_of("shop", "ada")
    others = {
        tokens.visitor_of("other", "ada"),
        tokens.visitor_of("shop", "bob"),
        Tokens("x", minutes=1).visitor_of("shop", "ada"),
    }
    assert tokens.visitor_of("shop", "ada") not in others
