"""What `config/deskhand.yml` says about the channels of other platforms. Their secrets come from the environment."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Annotated, Literal, Self

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, HttpUrl, TypeAdapter, model_validator

from bot.section import Section

_URL = TypeAdapter(HttpUrl)


def _url(text: str) -> str:
    if text:
        _URL.validate_python(text)
    return text.rstrip("/")


def _path(expression: str) -> str:
    try:
        if expression:
            jmespath.compile(expression)
    except JMESPathError as error:
        raise ValueError(f"not a JMESPath expression ({error}); write e.g. message.text or messages[0].text") from error
    return expression


def _address(text: str) -> str:
    if text and "@" not in parseaddr(text)[1]:
        raise ValueError("not an address such as Support <help@shop.example>")
    return text


Url = Annotated[str, AfterValidator(_url)]
Path = Annotated[str, AfterValidator(_path)]
Address = Annotated[str, AfterValidator(_address)]


class CallbackConfig(Section):
    enabled: bool = False
    url: Url = ""


class ChatwootConfig(Section):
    enabled: bool = False
    api: Url = "https://app.chatwoot.com"


class McpConfig(Section):
    enabled: bool = False
    writes: bool = False


class OpenAIConfig(Section):
    enabled: bool = True


class SlackConfig(Section):
    enabled: bool = False
    api: Url = "https://slack.com/api"


class TelegramConfig(Section):
    enabled: bool = False
    api: Url = "https://api.telegram.org"
    start: str = "/greet"


class TwilioConfig(Section):
    enabled: bool = False
    api: Url = "https://api.twilio.com/2010-04-01"
    account_sid: str = ""
    public_url: Url = ""
    replies: Literal["twiml", "api"] = "twiml"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not self.account_sid:
            raise ValueError("account_sid is missing; it begins with AC and stands in Twilio's console")
        return self


class WhatsappConfig(Section):
    enabled: bool = False
    api: Url = "https://graph.facebook.com/v23.0"
    choose: str = "Choose"


class EmailConfig(Section):
    enabled: bool = False
    provider: Literal["mailgun", "postmark", "raw"] = "raw"
    address: Address = ""
    body_bytes: int = Field(default=10_485_760, ge=1024)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not self.address:
            raise ValueError("address is missing; give the one that customers write to, as Support <help@shop.example>")
        return self


class SignatureConfig(Section):
    header: str = "X-Signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"


class WebhookConfig(Section):
    """`signature: null` takes everything from everybody: only for a network that nobody else is in."""

    sender: Path
    text: Path
    id: Path = ""
    signature: SignatureConfig | None = SignatureConfig()
    replies: Literal["response", "post"] = "response"
    url: Url = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.replies == "post" and not self.url:
            raise ValueError("url is missing; say where replies are posted")
        return self


TAKEN = frozenset(
    "rest widget openai mcp terminal chatwoot slack telegram twilio whatsapp email callback socketio".split()
)


def _free(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name) or name in TAKEN:
        raise ValueError("not a free name; use lower-case letters, digits, - and _, and no name of another channel")
    return name


WebhookName = Annotated[str, AfterValidator(_free)]
