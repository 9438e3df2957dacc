"""A mail as Mailgun, Postmark or your own mail server bring it: who wrote, in which thread, and only the new words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr
from typing import Any

from email_reply_parser import EmailReplyParser

from bot.channels.platform import Inbound, short_hash
from retrieval.errors import BadInput

MESSAGE_ID = re.compile(r"<[^<>\s]+>")
MACHINES = re.compile(r"^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)([+.-].*)?@", re.IGNORECASE)
KEPT = 10
"""References kept in a reply: the first, which names the thread, and the latest."""


@dataclass(frozen=True)
class Mail:
    """`headers` have lower-case names; `text` is the body without what is quoted."""

    sender: str
    subject: str
    text: str
    id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[dict[str, Any], ...] = ()

    @property
    def references(self) -> tuple[str, ...]:
        found = MESSAGE_ID.findall(f"{self.headers.get('references', '')} {self.headers.get('in-reply-to', '')}")
        return tuple(dict.fromkeys(found))

    @property
    def automatic(self) -> bool:
        """An absence note, a bounce, a newsletter: who answers those talks with machines, without end (RFC 3834)."""
        auto = self.headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
        bulk = self.headers.get("precedence", "").strip().lower() in ("bulk", "list", "junk", "auto_reply")
        marked = "x-autoreply" in self.headers or "list-id" in self.headers or self.headers.get("return-path") == "<>"
        return auto != "no" or bulk or marked or bool(MACHINES.match(self.sender))


def inbound(mail: Mail) -> Inbound | None:
    """None for a mail of a machine. One thread with one sender is one conversation: a forwarded reply joins none."""
    if mail.automatic or "@" not in mail.sender:
        return None
    thread = (*mail.references, mail.id)
    to = {
        "address": mail.sender,
        "subject": mail.subject,
        "in_reply_to": mail.id,
        "references": [*thread[:1], *thread[1:][-KEPT:]],
    }
    place = "email:" + short_hash(thread[0], mail.sender.lower())
    text = mail.text.strip() or mail.subject.strip()
    return Inbound(place, short_hash(mail.id), text, to, attachments=mail.attachments)


def from_raw(body: bytes) -> Mail:
    """RFC 5322, as a mail server has it."""
    message = BytesParser(policy=policy.default).parsebytes(body)
    assert isinstance(message, EmailMessage)
    headers = {name.lower(): str(value) for name, value in message.items()}
    if "message-id" not in headers or "from" not in headers:
        raise BadInput("the body is no mail: Message-ID and From are missing; post the message as the server got it")
    part = message.get_body(preferencelist=("plain", "html"))
    text = str(part.get_content()) if part else ""
    if part is not None and part.get_content_subtype() == "html":
        text = _without_tags(text)
    return _mail(
        headers["from"], headers.get("subject", ""), reply_of(text), headers["message-id"], headers, _files(message)
    )


def from_mailgun(form: Mapping[str, Any]) -> Mail:
    """A route's `forward()`, parsed by Mailgun."""
    headers = {str(name).lower(): str(value) for name, value in json.loads(str(form.get("message-headers") or "[]"))}
    text = str(form.get("stripped-text") or "") or reply_of(str(form.get("body-plain") or ""))
    count = str(form.get("attachment-count") or "0")
    files = tuple({"type": "file"} for _ in range(int(count) if count.isdigit() else 0))
    id_ = str(form.get("Message-Id") or headers.get("message-id") or "")
    return _mail(
        str(form.get("from") or form.get("sender") or ""), str(form.get("subject") or ""), text, id_, headers, files
    )


def from_postmark(data: Mapping[str, Any]) -> Mail:
    """Postmark's inbound JSON."""
    headers = {str(one["Name"]).lower(): str(one["Value"]) for one in data.get("Headers") or ()}
    text = str(data.get("StrippedTextReply") or "") or reply_of(str(data.get("TextBody") or ""))
    files = tuple(
        {"type": str(one.get("ContentType", "file")), "name": str(one.get("Name", ""))}
        for one in data.get("Attachments") or ()
    )
    id_ = headers.get("message-id") or f"<{data.get('MessageID', '')}@postmark>"
    return _mail(str(data.get("From") or ""), str(data.get("Subject") or ""), text, id_, headers, files)


def _mail(
    sender: str, subject: str, text: str, id_: str, headers: Mapping[str, str], files: tuple[dict[str, Any], ...]
) -> Mail:
    found = MESSAGE_ID.search(id_)
    if not found:
        raise BadInput(f"the mail has no Message-Id ({id_!r}); it is needed to keep its thread together")
    return Mail(parseaddr(sender)[1], " ".join(subject.split()), text, found[0], headers, files)


def reply_of(text: str) -> str:
    """Without the quoted mail below, "On Monday Jo wrote:", and the signature."""
    return str(EmailReplyParser.parse_reply(text.replace("\r\n", "\n"))).strip()


def _files(message: EmailMessage) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"type": part.get_content_type(), "name": part.get_filename() or ""} for part in message.iter_attachments()
    )


def _without_tags(html: str) -> str:
    from html import unescape

    text = re.sub(r"(?is)<(script|style|blockquote)\b.*?</\1>", "", html)
    text = re.sub(r"(?i)<(br|/p|/div|/li|/tr)\b[^>]*>", "\n", text)
    return unescape(re.sub(r"<[^>]+>", "", text)).strip()
