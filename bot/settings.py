"""Places and secrets, from the environment only (`DESKHAND_*`). Built once in `main()` and passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from retrieval.errors import BadInput


class Settings(BaseSettings):
    """Every setting, its environment variable `DESKHAND_<NAME>` and its default; see `docs/settings.md`."""

    model_config = SettingsConfigDict(env_prefix="DESKHAND_", frozen=True)

    data_dir: Path = Path("data")
    config_dir: Path = Path("config")
    redis_url: str | None = None
    database_url: SecretStr | None = None
    actions_url: str | None = None
    operator_token: SecretStr | None = None
    writer_key: SecretStr | None = None
    chatwoot_token: SecretStr | None = None
    chatwoot_secret: SecretStr | None = None
    email_secret: SecretStr | None = None
    smtp_url: SecretStr | None = None
    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    telegram_bot_token: SecretStr | None = None
    telegram_secret: SecretStr | None = None
    twilio_auth_token: SecretStr | None = None
    whatsapp_app_secret: SecretStr | None = None
    whatsapp_token: SecretStr | None = None
    whatsapp_verify_token: SecretStr | None = None
    webhook_secrets: dict[str, SecretStr] = Field(default_factory=dict)
    files_url: str | None = None
    rasa_token: SecretStr | None = None
    rasa_jwt_key: SecretStr | None = None
    socketio_jwt_key: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    webhooks_private: bool = False
    encode_threads: int = Field(default=2, ge=1, le=64)

    @classmethod
    def build(cls, **given: object) -> Settings:
        """Settings from the environment, with `given` (not None) on top. Raises BadInput naming the variable."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = "DESKHAND_" + str(first["loc"][0] if first["loc"] else "").upper()
            raise BadInput(f"{name}={first['input']!r}: {first['msg']}; see docs/settings.md") from error

    @property
    def transcripts(self) -> Path:
        return self.data_dir / "transcripts"

    @property
    def quarantine(self) -> Path:
        return self.data_dir / "quarantine"

    @property
    def bundles(self) -> Path:
        return self.data_dir / "bundles"

    @property
    def runs(self) -> Path:
        return self.data_dir / "runs"

    @property
    def groups(self) -> Path:
        """What operators decided about kinds of request."""
        return self.data_dir / "groups.json"

    @property
    def knowledge(self) -> Path:
        return self.data_dir / "knowledge"

    @property
    def files(self) -> Path:
        return self.data_dir / "files"

    @property
    def redis_dir(self) -> Path:
        return self.data_dir / "redis"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the records: PostgreSQL as given, or SQLite in the data directory."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'deskhand.sqlite').absolute()}"
