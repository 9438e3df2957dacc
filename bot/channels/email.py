"""E-mail: `/webhooks/email/webhook` takes what a mail provider or server forwards, SMTP sends the replies.

A thread with one sender is one conversation. Choices are numbered, and answered with a number.
"""

from __future__ import annotations

import asyncio
import base64
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Request

from bot.body_limit import read_json
from bot.channels.config import EmailConfig
from bot.channels.inbound_mail import Mail, from_mailgun, from_postmark, from_raw, inbound
from bot.channels.platform import (
    PATIENCE_S,
    Address,
    Hear,
    Later,
    Refused,
    check_fresh,
    check_hmac,
    check_same,
    needed,
    reading,
)
from bot.channels.texts import with_numbers, words
from bot.events import BotSaid, Event, PersonSaid
from bot.settings import Settings
from retrieval.errors import BadInput

SIGNATURE = "X-Signature"


class Email:
    name = "email"
    answers_itself = False

    def __init__(self, config: EmailConfig, settings: Settings) -> None:
        self._secret, smtp = needed("email", email_secret=settings.email_secret, smtp_url=settings.smtp_url)
        self._smtp = Smtp(smtp)
        self._config = config

    def router(self, hear: Hear) -> APIRouter:
        routes = APIRouter(tags=["channels"])

        @routes.post("/webhooks/email/webhook")
        async def mail(request: Request) -> dict[str, Any]:
            """A mail in the form of `channels.email.provider`."""
            if said := inbound(await self._read(request)):
                await hear(said)
            return {}

        return routes

    async def _read(self, request: Request) -> Mail:
        match self._config.provider:
            case "mailgun":
                form = await request.form()
                stamp = str(form.get("timestamp") or "")
                check_fresh(stamp, header="timestamp")
                signed = (stamp + str(form.get("token") or "")).encode()
                check_hmac(str(form.get("signature") or ""), self._secret, signed, header="signature")
                with reading("Mailgun"):
                    return from_mailgun(form)
            case "postmark":
                check_same(_password(request), self._secret, what="the password in the webhook's address")
                with reading("Postmark"):
                    return from_postmark(read_json(await request.body()))
            case _:
                body = await request.body()
                check_hmac(request.headers.get(SIGNATURE), self._secret, body, header=SIGNATURE)
                return from_raw(body)

    def parts(self, event: Event, to: Address) -> Sequence[EmailMessage]:
        if not isinstance(event, BotSaid | PersonSaid):
            return ()
        text = with_numbers(event) if isinstance(event, BotSaid) else words(event)
        if isinstance(event, BotSaid) and event.image:
            text = f"{text}\n\n{event.image}".strip()
        return [self._mail(text, event, to)] if text else ()

    def _mail(self, text: str, event: BotSaid | PersonSaid, to: Address) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._config.address, to["address"]
        mail["Subject"] = _re(str(to["subject"]))
        mail["Date"] = formatdate(event.at, usegmt=True)
        mail["Message-ID"] = f"<{event.message_id}@{parseaddr(self._config.address)[1].rpartition('@')[2]}>"
        mail["In-Reply-To"], mail["References"] = to["in_reply_to"], " ".join(to["references"])
        if isinstance(event, BotSaid):  # so that no absence note answers it
            mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"] = "auto-replied", "All"
        mail.set_content(text)
        return mail

    async def send(self, part: EmailMessage) -> None:
        await asyncio.to_thread(self._smtp.send, part)

    async def aclose(self) -> None:
        return None


def _re(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()


def _password(request: Request) -> str:
    """Of `https://anything:password@desk.example/...`, which senders turn into basic authentication."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(value).decode().partition(":")[2] if scheme.lower() == "basic" else ""
    except ValueError:
        return ""


class Smtp:
    """`smtp://user:password@host:587` (STARTTLS when the server offers it) or `smtps://...:465`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise BadInput("DESKHAND_SMTP_URL is no address of a mail server; write smtp://user:password@host:587")
        self._tls = parts.scheme == "smtps"
        self._host, self._port = parts.hostname, parts.port or (465 if self._tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")

    def send(self, mail: EmailMessage) -> None:
        """Raises Later for what may pass, Refused when the server will not have this mail."""
        try:
            with self._connect() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise (Refused if min(codes) >= 500 else Later)(f"recipient refused: {error.recipients}") from error
        except smtplib.SMTPAuthenticationError as error:
            raise Later(f"the mail server does not take our password: {error}") from error
        except smtplib.SMTPResponseException as error:
            raise (Refused if error.smtp_code >= 500 else Later)(str(error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Later(f"{type(error).__name__}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=PATIENCE_S, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=PATIENCE_S)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
        if self._user:
            server.login(self._user, self._password)
        return server
