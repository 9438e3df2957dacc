"""`/api/v1/files`: what people of the desk send to customers. (Every file is fetched by `GET /api/v1/files/{key}`.)"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from bot.api.models import Id
from bot.api.route import Body
from bot.auth import Access
from bot.config import FilesConfig
from bot.files import File, FileStore, check, keep
from bot.handoff import Desk
from retrieval.errors import BadInput


class Upload(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"conversation": "order-4711", "file": "label.pdf"}]}
    )

    conversation: Id
    file: UploadFile = Field(description="Of a kind in channels.widget.files.types.")


class FileView(BaseModel):
    """`id` goes into `files` of a message of the same conversation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "kZ3v9Qd1xPb0aLwE/label.pdf", "name": "label.pdf", "type": "application/pdf", "size": 9120}
            ]
        }
    )

    id: str
    name: str
    type: str
    size: int = Field(description="In bytes.")

    @classmethod
    def of(cls, file: File) -> FileView:
        return cls(**vars(file))


def add(routes: APIRouter, access: Access, desk: Desk, store: FileStore, config: FilesConfig) -> None:
    @routes.post("/files", status_code=201, dependencies=[Depends(access.needs("conversations:write"))])
    async def upload(body: Annotated[Upload, Form(media_type="multipart/form-data")]) -> FileView:
        """Takes a file for a message that a person writes in this conversation."""
        if not config.enabled:
            raise BadInput("files are not taken here; set channels.widget.files.enabled")
        await desk.read(body.conversation)
        data = await body.file.read()
        name = check(body.file.filename or "", data, types=config.types, most=int(config.megabytes * 1e6))
        return FileView.of(await keep(store, body.conversation, name, data))
