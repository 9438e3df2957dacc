from __future__ import annotations

import hashlib
import hmac
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from platform_server import PlatformServer
from serving_desk import OPERATOR, Server

from bot.channels.inbound_mail import from_raw, inbound, reply_of
from bot.events import DeliveryFailed

pytestmark = pytest.mark.asyncio

WEBHOOK = "/webhooks/email/webhook"
ANSWER = "You have 30 days.\n\nShoes must be unworn."


class Mailbox(PlatformServer):
    """A real mail server that keeps what it is sent; `answers` are (code, {}, text) of its refusals."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        code, _, text = self.take(envelope)  # type: ignore[arg-type]
        return "250 OK" if code == 200 else f"{code} {text}"

    async def mails(self, count: int) -> list[EmailMessage]:
        envelopes: list[Any] = await self.got(count)
        return [message_from_bytes(one.content.replace(b"\r\n", b"\n"), policy=policy.default) for one in envelopes]  # type: ignore[misc]


@contextmanager
def running_mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    mailbox.url = f"smtp://127.0.0.1:{port}"
    yield mailbox
    controller.stop()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with running_mailbox() as made:
        yield made


def channels(provider: str) -> dict[str, Any]:
    return {"email": {"enabled": True, "provider": provider, "address": "Shop <help@shop.example>"}}


def secrets(mailbox: Mailbox) -> dict[str, str]:
    return {"email_secret": "key-3ax6", "smtp_url": mailbox.url}


async def post_raw(server: Server, mail: bytes, **headers: str) -> httpx.Response:
    signed = hmac.new(b"key-3ax6", mail, hashlib.sha256).hexdigest()
    headers = {"content-type": "message/rfc822", "X-Signature": signed, **headers}
    return await server.client.post(WEBHOOK, content=mail, headers=headers)


def mailgun(recorded: Callable[[str], Any], *, age_s: float = 0, key: bytes = b"key-3ax6") -> dict[str, str]:
    form: dict[str, str] = recorded("mailgun.json")
    stamp = str(int(time.time() - age_s))
    signed = hmac.new(key, (stamp + form["token"]).encode(), hashlib.sha256).hexdigest()
    return {**form, "timestamp": stamp, "signature": signed}


async def test_a_mail_of_mailgun_is_answered_by_smtp_in_its_thread(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels("mailgun"), **secrets(mailbox)) as server:
        for _ in range(2):
            assert (await server.client.post(WEBHOOK, data=mailgun(recorded))).status_code == 200
        (mail,) = await mailbox.mails(1)
        assert mail["To"] == "ada@customer.example"
        assert mail["From"] == "Shop <help@shop.example>"
        assert mail["Subject"] == "Re: Returning a tent"
        assert mail["In-Reply-To"] == mail["References"] == "<517ACC75.5010709@customer.example>"
        assert mail["Auto-Submitted"] == "auto-replied"
        assert mail.get_content().strip() == ANSWER


async def test_a_mail_that_mailgun_did_not_sign_is_refused(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels("mailgun"), **secrets(mailbox)) as server:
        for form in (mailgun(recorded, key=b"guessed"), mailgun(recorded, age_s=900), recorded("mailgun.json")):
            assert (await server.client.post(WEBHOOK, data=form)).status_code == 401


async def test_a_mail_of_postmark_needs_the_password_of_the_address(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels("postmark"), **secrets(mailbox)) as server:
        payload = recorded("postmark.json")
        for auth, status in ((None, 401), (("desk", "guessed"), 401), (("desk", "key-3ax6"), 200)):
            assert (await server.client.post(WEBHOOK, json=payload, auth=auth)).status_code == status
        (mail,) = await mailbox.mails(1)
        assert mail.get_content().strip() == ANSWER


async def test_a_thread_is_one_conversation_and_only_the_new_words_are_read(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels("raw"), **secrets(mailbox)) as server:
        for name in ("mail.eml", "mail.eml", "mail_reply.eml"):
            assert (await post_raw(server, recorded(name))).status_code == 200
        first, second = await mailbox.mails(2)
        assert first["Subject"] == "Re: Returning a tent ⛺"
        assert (first.get_content().strip(), second.get_content().strip()) == (ANSWER, "Hi, I am a bot.")
        assert second["References"].strip() == "<first@customer.example> <ours@shop.example> <second@customer.example>"
        assert (await post_raw(server, recorded("mail.eml"), **{"X-Signature": "00"})).status_code == 401


async def test_a_person_answers_by_mail_too_and_not_as_a_machine(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels("raw"), **secrets(mailbox)) as server:
        await post_raw(server, recorded("mail.eml"))
        said = inbound(from_raw(recorded("mail.eml")))
        assert said is not None
        url = f"/api/v1/conversations/{said.conversation}/messages"
        body = {"person": "Priya", "text": "Hello Ada,\nI had a look.\n\nPriya"}
        assert (await server.client.post(url, json=body, headers=OPERATOR)).is_success
        mail = (await mailbox.mails(2))[1]
        assert mail.get_content().strip() == body["text"]
        assert mail["Auto-Submitted"] is None


async def test_a_busy_mail_server_is_asked_again_and_an_unknown_recipient_is_noted(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    mailbox.answers.extend([(451, {}, "4.3.0 try later"), (550, {}, "5.1.1 no such user")])
    async with desk(channels("raw"), **secrets(mailbox)) as server:
        await post_raw(server, recorded("mail.eml"))
        await mailbox.got(1)
        await post_raw(server, recorded("mail_reply.eml"))
        await mailbox.got(3)
        said = inbound(from_raw(recorded("mail.eml")))
        assert said is not None
        events = (await server.parts.store.read(said.conversation)).events
        assert [one.error for one in events if isinstance(one, DeliveryFailed)] == ["(550, b'5.1.1 no such user')"]


async def test_machines_are_not_answered_and_a_forwarded_reply_joins_no_conversation(
    recorded: Callable[[str], Any],
) -> None:
    assert inbound(from_raw(recorded("mail_absence.eml"))) is None
    reply = recorded("mail_reply.eml")
    for line in (b"Precedence: bulk\n", b"List-Id: <a.b>\n", b"Auto-Submitted: auto-generated\n"):
        assert inbound(from_raw(line + reply)) is None
    ours, theirs = inbound(from_raw(reply)), inbound(from_raw(reply.replace(b"ada@", b"eve@")))
    assert ours is not None
    assert theirs is not None
    assert ours.conversation != theirs.conversation


async def test_quotes_and_signatures_are_cut_off() -> None:
    assert reply_of("Yes please.\r\n\r\nOn Mon, 1 Jan 2026 at 10:00, Shop <a@b.example> wrote:\r\n> Shall we?\r\n") == (
        "Yes please."
    )
    assert reply_of("Yes please.\n\n-- \nAda\nLovelace Ltd") == "Yes please."


async def test_a_mail_may_be_larger_than_other_requests(
    desk: Callable[..., Any], mailbox: Mailbox, recorded: Callable[[str], Any]
) -> None:
    async with desk(channels("raw"), **secrets(mailbox)) as server:
        assert (await post_raw(server, recorded("mail_reply.eml") + b"> " + b"x" * 200_000)).status_code == 200
        assert (await post_raw(server, b"x" * 11_000_000)).status_code == 413
