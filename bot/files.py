"""Files that customers send: checked by name, size and content, and kept where no web server looks.

A key is `{conversation}/{random}/{name}`. `LocalFiles` is a folder of the data directory, `S3Files` a bucket of S3, or
of anything that speaks its protocol; the only `import obstore`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from retrieval.errors import BadInput, NotFound, Unavailable

SPARE_BYTES = 500_000_000
"""Nothing is taken in when the disk would have less than this left: the conversations need it more."""

NAME_BYTES = 120
KEY = re.compile(r"[\w.-]{1,255}/[\w-]{8,64}/[^/\\\x00-\x1f]{1,160}")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(starts)


def _text(data: bytes) -> bool:
    try:
        return "\x00" not in data.decode()
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True)
class Kind:
    """What a file of this ending is: its type for browsers, how it begins, and whether a browser may show it itself."""

    type: str
    fits: Callable[[bytes], bool]
    shown: bool = False


_ZIP = _begins(b"PK\x03\x04")
_OFFICE = "application/vnd.openxmlformats-officedocument"
KINDS = {
    "png": Kind("image/png", _begins(b"\x89PNG\r\n\x1a\n"), shown=True),
    "jpg": Kind("image/jpeg", _begins(b"\xff\xd8\xff"), shown=True),
    "jpeg": Kind("image/jpeg", _begins(b"\xff\xd8\xff"), shown=True),
    "gif": Kind("image/gif", _begins(b"GIF87a", b"GIF89a"), shown=True),
    "webp": Kind("image/webp", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", shown=True),
    "heic": Kind("image/heic", lambda data: data[4:8] == b"ftyp"),
    "mp4": Kind("video/mp4", lambda data: data[4:8] == b"ftyp"),
    "pdf": Kind("application/pdf", _begins(b"%PDF-")),
    "txt": Kind("text/plain", _text),
    "csv": Kind("text/csv", _text),
    "docx": Kind(f"{_OFFICE}.wordprocessingml.document", _ZIP),
    "xlsx": Kind(f"{_OFFICE}.spreadsheetml.sheet", _ZIP),
    "odt": Kind("application/vnd.oasis.opendocument.text", _ZIP),
    "zip": Kind("application/zip", _ZIP),
}


@dataclass(frozen=True)
class File:
    """A stored file as its message names it; `id` is the key without the conversation."""

    id: str
    name: str
    type: str
    size: int


def kind_of(name: str) -> Kind | None:
    return KINDS.get(name.rpartition(".")[2].lower())


def safe_name(name: str) -> str:
    """A name that is a name on every system: no folder, nothing invisible, nothing that turns the direction of
    writing, at most 120 bytes, the ending kept."""
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    base = "".join("_" if c in '<>:"|?*' else c for c in base if not unicodedata.category(c).startswith("C"))
    stem, dot, ending = base.strip().rstrip(" .").rpartition(".")
    stem = stem.encode()[: NAME_BYTES - len(ending.encode()) - 1].decode(errors="ignore").strip(" .")
    return ("_" if not stem or RESERVED.fullmatch(stem) else "") + stem + dot + ending


def check(name: str, data: bytes, *, types: tuple[str, ...], most: int) -> str:
    """The safe name. Raises BadInput, in words for customers, for another type, too large a file, or a wrong ending."""
    safe = safe_name(name)
    ending = safe.rpartition(".")[2].lower()
    kind = KINDS.get(ending)
    if kind is None or ending not in types:
        raise BadInput(f"{safe!r} is of a type that is not taken here; send one of {', '.join(types)}")
    if len(data) > most:
        raise BadInput(
            f"{safe!r} has {len(data) / 1e6:.1f} MB, at most {most / 1e6:g} MB are taken; send a smaller one"
        )
    if not data:
        raise BadInput(f"{safe!r} is empty; choose another file")
    if not kind.fits(data):
        raise BadInput(f"{safe!r} is no {ending} file inside; send it under its right ending")
    return safe


class FileStore(Protocol):
    """Every method raises Unavailable when the place cannot be reached."""

    async def put(self, key: str, data: bytes, type: str) -> None: ...

    async def get(self, key: str) -> bytes:
        """Raises NotFound."""
        ...

    async def size(self, key: str) -> int:
        """Raises NotFound."""
        ...

    async def sweep(self, older_s: float) -> int:
        """Deletes what has been there longer than `older_s`; how many files."""
        ...


async def keep(store: FileStore, conversation: str, name: str, data: bytes) -> File:
    """Stores a file whose name `check` has returned."""
    kind = KINDS[name.rpartition(".")[2].lower()]
    id = f"{secrets.token_urlsafe(12)}/{name}"
    await store.put(f"{conversation}/{id}", data, kind.type)
    return File(id, name, kind.type, len(data))


async def find(store: FileStore, conversation: str, id: str) -> File:
    """Raises NotFound for a file that this conversation does not have."""
    size = await store.size(f"{conversation}/{id}")
    name = id.partition("/")[2]
    kind = kind_of(name)
    return File(id, name, kind.type if kind else "application/octet-stream", size)


def _checked(key: str) -> str:
    if not KEY.fullmatch(key) or ".." in key:
        raise NotFound(f"there is no file {key[:200]!r}")
    return key


class LocalFiles:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, data: bytes, type: str) -> None:
        await asyncio.to_thread(self._write, self._root / _checked(key), data)

    async def get(self, key: str) -> bytes:
        return await asyncio.to_thread(self._path(key).read_bytes)

    async def size(self, key: str) -> int:
        return self._path(key).stat().st_size

    async def sweep(self, older_s: float) -> int:
        return await asyncio.to_thread(self._sweep, time.time() - older_s)

    def _path(self, key: str) -> Path:
        path = self._root / _checked(key)
        if not path.is_file():
            raise NotFound(f"there is no file {key!r}")
        return path

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free - len(data) < SPARE_BYTES:
                raise Unavailable("the disk is nearly full; make room, or set DESKHAND_FILES_URL to a bucket")
            path.write_bytes(data)
        except OSError as error:
            raise Unavailable(f"cannot write a file below {self._root}: {error}") from error

    def _sweep(self, before: float) -> int:
        old = [path for path in self._root.glob("*/*/*") if path.is_file() and path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent):
                with suppress(OSError):  # not empty: another file of the conversation is younger
                    folder.rmdir()
        return len(old)


class S3Files:
    def __init__(self, url: str) -> None:
        """`url`: s3://bucket or s3://bucket/folder. Endpoint, region and credentials come from `AWS_*` variables."""
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError as error:
            raise BadInput(f"DESKHAND_FILES_URL={url!r} needs one more package; pip install 'deskhand[s3]'") from error
        parts = urlsplit(url)
        self._url, self._api = url, obstore
        self._bucket = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": True, "timeout": "20s"},
            retry_config={"max_retries": 2},
        )

    async def put(self, key: str, data: bytes, type: str) -> None:
        await self._call(key, self._api.put_async(self._bucket, _checked(key), data, attributes={"Content-Type": type}))

    async def get(self, key: str) -> bytes:
        found = await self._call(key, self._api.get_async(self._bucket, _checked(key)))
        return bytes(await self._call(key, found.bytes_async()))

    async def size(self, key: str) -> int:
        return int((await self._call(key, self._api.head_async(self._bucket, _checked(key))))["size"])

    async def sweep(self, older_s: float) -> int:
        before, count = time.time() - older_s, 0
        try:
            async for batch in self._api.list(self._bucket, chunk_size=1000):
                old = [one["path"] for one in batch if one["last_modified"].timestamp() < before]
                if old:
                    await self._api.delete_async(self._bucket, old)
                count += len(old)
        except Exception as error:
            raise Unavailable(f"the files in {self._url} cannot be reached: {error}") from error
        return count

    async def _call(self, key: str, answer: Any) -> Any:
        try:
            return await answer
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {key!r}") from error
        except Exception as error:  # obstore has one error for each backend's failures, and no common root
            raise Unavailable(f"the files in {self._url} cannot be reached: {error}") from error


def file_store(url: str | None, folder: Path) -> FileStore:
    """`url` is DESKHAND_FILES_URL. Raises BadInput for one that is not understood."""
    if url is None:
        return LocalFiles(folder)
    if not url.startswith("s3://") or not urlsplit(url).netloc:
        raise BadInput(f"DESKHAND_FILES_URL={url!r}: write s3://bucket or s3://bucket/folder, or leave it away")
    return S3Files(url)
