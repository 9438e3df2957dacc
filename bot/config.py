"""What a support team decides: `config/deskhand.yml`. Every key has a default there; an unknown key is an error."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator

from bot.channels.config import (
    CallbackConfig,
    ChatwootConfig,
    EmailConfig,
    McpConfig,
    OpenAIConfig,
    SlackConfig,
    TelegramConfig,
    TwilioConfig,
    WebhookConfig,
    WebhookName,
    WhatsappConfig,
)
from bot.section import Section
from retrieval.strict_yaml import load_yaml

if TYPE_CHECKING:
    from retrieval.fetch import Fetcher

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
Hours = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
SiteKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def _rate(text: str) -> str:
    from bot.stores.rates import rate

    try:
        rate(text)
    except ValueError as error:
        raise ValueError("write a number and a period: 30/minute, 500/hour, 5/10 seconds") from error
    return text


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://(\*\.)?[a-z0-9.-]+(:\d+)?", text):
        raise ValueError("an origin is scheme and host without a path: https://shop.example, https://*.shop.example, *")
    return text


Rate = Annotated[str, AfterValidator(_rate)]
Origin = Annotated[str, AfterValidator(_origin)]


class LimitsConfig(Section):
    message_chars: int = Field(default=4000, ge=1, le=100_000)
    body_bytes: int = Field(default=65_536, ge=1024)
    steps_per_turn: int = Field(default=10, ge=1, le=100)
    clarify_margin: float = Field(default=0.1, ge=0, le=1)


class RepliesConfig(Section):
    unknown: str = "I don't know that, so I am passing this on to a colleague. They will answer you right here."
    asked: str = "Of course. I am passing this on to a colleague. They will answer you right here."
    failed: str = "Sorry, something went wrong on our side. I am passing this on to a colleague, who will answer here."
    closed: str = (
        "I am passing this on to a colleague. Nobody is at the desk right now; "
        "you get an answer here as soon as we are back."
    )
    clarify: str = "Which of these do you mean?"
    waiting: str = "I have told my colleagues. One of them will answer you right here."


class HandoffConfig(Section):
    answer_while_waiting: bool = True


class ActionsConfig(Section):
    timeout_s: float = Field(default=10, gt=0, le=600)
    connect_timeout_s: float = Field(default=2, gt=0, le=60)
    retries: int = Field(default=1, ge=0, le=10)
    headers: dict[str, str] = Field(default_factory=dict)
    compress: bool = False
    digest: bool = False
    breaker_failures: int = Field(default=5, ge=1)
    breaker_pause_s: float = Field(default=30, gt=0)
    notice_s: float = Field(default=1, gt=0)


class BurstsConfig(Section):
    moment_s: float = Field(default=0.5, ge=0, le=10)
    words: int = Field(default=4, ge=1, le=50)
    channels: tuple[str, ...] = ("widget", "socketio", "telegram", "whatsapp")


class BusinessHours(Section):
    timezone: str = "UTC"
    days: dict[Day, Hours] | None = None

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("not a time zone such as Europe/Berlin") from error
        return name

    def opens_at(self, at: float) -> float | None:
        """When people are back, in seconds since the epoch; None while they are there, or when no day is set."""
        if not self.days or self.open_at(at):
            return None
        zone = ZoneInfo(self.timezone)
        today = datetime.fromtimestamp(at, zone).date()
        for day in (today + timedelta(days=ahead) for ahead in range(8)):
            if hours := self.days.get(DAYS[day.weekday()]):
                begin = datetime.combine(day, time.fromisoformat(hours.split("-")[0]), zone).timestamp()
                if begin > at:
                    return begin
        return None

    def open_at(self, at: float) -> bool:
        """Whether people are at the desk at `at`, seconds since the epoch."""
        if self.days is None:
            return True
        local = datetime.fromtimestamp(at, ZoneInfo(self.timezone))
        hours = self.days.get(DAYS[local.weekday()])
        if hours is None:
            return False
        begin, end = hours.split("-")
        return time.fromisoformat(begin) <= local.time() and (end == "24:00" or local.time() < time.fromisoformat(end))


class RatesConfig(Section):
    visitor: Rate = "30/minute"
    sessions: Rate = "60/minute"
    address: Rate = "300/minute"
    site: Rate = "6000/minute"
    key: Rate = "6000/minute"


class RestConfig(Section):
    enabled: bool = True


class SocketIoConfig(Section):
    enabled: bool = False
    user_event: str = Field(default="user_uttered", min_length=1)
    bot_event: str = Field(default="bot_uttered", min_length=1)
    namespace: str | None = Field(default=None, pattern="^/.*$")
    path: str = Field(default="/socket.io", pattern="^/.+$")
    session_persistence: bool = False
    metadata_key: str = Field(default="metadata", min_length=1)
    jwt_method: str = "HS256"
    origins: tuple[str, ...] = ("*",)


class RasaApiConfig(Section):
    enabled: bool = False
    jwt_method: str = "HS256"


class SiteConfig(Section):
    """What is None is as `channels.widget` says."""

    origins: tuple[Origin, ...] = ("*",)
    name: str | None = None
    greeting: str | None = None
    starters: tuple[str, ...] | None = None


class FieldConfig(Section):
    """One line of the form before a chat; what is written there goes along with the messages as an attribute."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: str = Field(min_length=1, max_length=100)
    type: Literal["text", "email", "tel", "select"] = "text"
    required: bool = False
    options: tuple[str, ...] = ()


class FilesConfig(Section):
    enabled: bool = True
    megabytes: float = Field(default=10, gt=0, le=100)
    types: tuple[str, ...] = ("png", "jpg", "jpeg", "gif", "webp", "heic", "pdf", "txt", "csv", "docx", "xlsx")

    @field_validator("types")
    @classmethod
    def _known(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        from bot.files import KINDS

        for name in types:
            if name not in KINDS:
                raise ValueError(f"{name!r} is no ending that can be checked; known are {', '.join(KINDS)}")
        return types


class TextsConfig(Section):
    """The desk's own words in one language; what is None is as `channels.widget` says. `strings` replace its own."""

    name: str | None = None
    greeting: str | None = None
    starters: tuple[str, ...] | None = None
    away: str | None = None
    prechat: tuple[FieldConfig, ...] | None = None
    strings: dict[str, str] = Field(default_factory=dict)


class WidgetConfig(Section):
    enabled: bool = True
    sites: dict[SiteKey, SiteConfig] = Field(default_factory=lambda: {"demo": SiteConfig()})
    name: str = "Customer service"
    greeting: str | None = None
    starters: tuple[str, ...] = ()
    away: str | None = None
    csat: bool = True
    prechat: tuple[FieldConfig, ...] = ()
    files: FilesConfig = FilesConfig()
    faces: dict[str, str] = Field(default_factory=dict)
    texts: dict[str, TextsConfig] = Field(default_factory=dict)
    session_minutes: float = Field(default=60, gt=0)


class Channels(Section):
    rest: RestConfig = RestConfig()
    socketio: SocketIoConfig = SocketIoConfig()
    rasa_api: RasaApiConfig = RasaApiConfig()
    widget: WidgetConfig = WidgetConfig()
    callback: CallbackConfig = CallbackConfig()
    chatwoot: ChatwootConfig = ChatwootConfig()
    email: EmailConfig = EmailConfig()
    mcp: McpConfig = McpConfig()
    openai: OpenAIConfig = OpenAIConfig()
    slack: SlackConfig = SlackConfig()
    telegram: TelegramConfig = TelegramConfig()
    twilio: TwilioConfig = TwilioConfig()
    whatsapp: WhatsappConfig = WhatsappConfig()
    webhooks: dict[WebhookName, WebhookConfig] = Field(default_factory=dict)


class Retention(Section):
    idle_hours: float = Field(default=24, gt=0)
    keep_days: float = Field(default=30, ge=0)


class RedactionConfig(Section):
    region: str = "US"
    patterns: dict[str, str] = Field(default_factory=dict)
    agents: tuple[str, ...] = ()

    @field_validator("region")
    @classmethod
    def _country(cls, region: str) -> str:
        from bot.redaction_patterns import known_region  # the server, which masks nothing, does without phonenumbers

        if not known_region(region):
            raise ValueError("no country of phone numbers; write ISO 3166 such as US, GB, DE")
        return region

    @field_validator("patterns")
    @classmethod
    def _expressions(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            if not re.fullmatch("[A-Z]+", name):
                raise ValueError(f"{name!r} is no placeholder; write capital letters only, like ORDER")
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{name}: {pattern!r} is no regular expression: {error}") from error
        return patterns


class WriterConfig(Section):
    url: str = ""
    model: str = ""
    local: str = ""
    seconds: float = Field(default=8, gt=0, le=60)
    retries: int = Field(default=1, ge=0, le=5)
    max_tokens: int = Field(default=200, ge=16, le=4000)
    tokens_per_day: int = Field(default=200_000, ge=0)
    cost_per_day: float = Field(default=0, ge=0)
    input_price: float = Field(default=0, ge=0)
    output_price: float = Field(default=0, ge=0)


class KnowledgeConfig(Section):
    private_addresses: bool = False
    fetch_seconds: float = Field(default=20, gt=0, le=600)
    fetch_megabytes: int = Field(default=10, ge=1, le=1000)
    upload_megabytes: int = Field(default=50, ge=1, le=100)
    device: Literal["cpu", "gpu"] = "cpu"
    writer: WriterConfig = WriterConfig()

    def fetcher(self) -> Fetcher:
        from retrieval.fetch import Fetcher

        return Fetcher(self.fetch_megabytes << 20, self.fetch_seconds, self.private_addresses)


class Config(Section):
    error_budget: float = Field(default=0.05, gt=0, lt=0.5)
    limits: LimitsConfig = LimitsConfig()
    rates: RatesConfig = RatesConfig()
    replies: RepliesConfig = RepliesConfig()
    handoff: HandoffConfig = HandoffConfig()
    bursts: BurstsConfig = BurstsConfig()
    actions: ActionsConfig = ActionsConfig()
    business_hours: BusinessHours = BusinessHours()
    channels: Channels = Channels()
    retention: Retention = Retention()
    redaction: RedactionConfig = RedactionConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()


def load_config(config_dir: Path) -> Config:
    """`deskhand.yml` of the folder, or the defaults when there is none. Raises BadInput with file, key and cure."""
    return load_yaml(config_dir / "deskhand.yml", Config)
