"""Where customers' files are kept: a folder, and a bucket of a real S3 server. One contract for both."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.files import FileStore, LocalFiles, file_store, find, keep
from retrieval.errors import BadInput, NotFound, Unavailable


class FileStoreContract:
    @pytest.fixture
    def store(self) -> FileStore:
        raise NotImplementedError

    def test_what_was_kept_is_found_with_its_name_type_and_size(self, store: FileStore) -> None:
        async def test() -> None:
            kept = await keep(store, "w-1", "Zip am Zelt (2).png", b"\x89PNG data")
            assert await find(store, "w-1", kept.id) == kept
            assert (kept.name, kept.type, kept.size) == ("Zip am Zelt (2).png", "image/png", 9)
            assert await store.get(f"w-1/{kept.id}") == b"\x89PNG data"

        asyncio.run(test())

    def test_two_files_of_one_name_are_two_files(self, store: FileStore) -> None:
        async def test() -> None:
            one, other = [await keep(store, "w-1", "a.txt", data) for data in (b"one", b"other")]
            assert [await store.get(f"w-1/{file.id}") for file in (one, other)] == [b"one", b"other"]

        asyncio.run(test())

    def test_another_conversation_does_not_have_it(self, store: FileStore) -> None:
        async def test() -> None:
            kept = await keep(store, "w-1", "a.txt", b"mine")
            with pytest.raises(NotFound, match="there is no file"):
                await find(store, "w-2", kept.id)

        asyncio.run(test())

    @pytest.mark.parametrize(
        "key",
        ["../../etc/passwd", "w-1/../../x", "w-1/abcdefgh/../x", "w-1/abcdefgh/..", "/etc/passwd", "", "w-1/a/b/c/d"],
    )
    def test_a_key_that_leads_elsewhere_is_no_file(self, store: FileStore, key: str) -> None:
        async def test() -> None:
            for ask in (store.get, store.size):
                with pytest.raises(NotFound):
                    await ask(key)

        asyncio.run(test())

    def test_old_files_are_swept_and_young_ones_stay(self, store: FileStore) -> None:
        async def test() -> None:
            kept = await keep(store, "w-9", "a.txt", b"mine")
            assert await store.sweep(3600) == 0
            assert await store.get(f"w-9/{kept.id}") == b"mine"
            assert await store.sweep(-3600) >= 1  # older than in an hour: everything
            with pytest.raises(NotFound):
                await store.get(f"w-9/{kept.id}")

        asyncio.run(test())


class TestLocalFiles(FileStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FileStore:
        return LocalFiles(tmp_path / "files")

    def test_a_folder_that_cannot_be_written_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "files").write_text("in the way")
        with pytest.raises(Unavailable, match="cannot write"):
            asyncio.run(keep(LocalFiles(tmp_path / "files"), "w-1", "a.txt", b"x"))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A server that speaks S3, with a bucket; the credentials are in the environment, as in production."""
    program = shutil.which("moto_server", path=f"{os.environ.get('DESKHAND_TEST_MOTO', '')}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("no moto_server; pipx install 'moto[s3,server]' (it wants an older dateutil than ours)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], **quiet) as server:  # type: ignore[call-overload]
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url)
            httpx.put(f"{url}/desk").raise_for_status()
            yield url
        finally:
            server.terminate()


class TestS3Files(FileStoreContract):
    @pytest.fixture
    def store(self, bucket: str, monkeypatch: pytest.MonkeyPatch) -> FileStore:
        values = {"ENDPOINT": bucket, "REGION": "us-east-1", "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}
        for name, value in values.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        return file_store("s3://desk/of/customers", Path("unused"))

    def test_a_server_that_is_not_there_is_unavailable(self, monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
        values = {"ENDPOINT": "http://127.0.0.1:1", "REGION": "x", "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}
        for name, value in values.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        with pytest.raises(Unavailable, match="s3://desk cannot be reached"):
            asyncio.run(file_store("s3://desk", Path("unused")).get("w-1/abcdefgh/a.txt"))


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            continue
    raise RuntimeError(f"moto_server did not come up at {url}")


@pytest.mark.parametrize("url", ["ftp://x", "s3://", "bucket", "s3:bucket"])
def test_an_address_that_is_no_bucket_is_refused_with_the_cure(url: str) -> None:
    with pytest.raises(BadInput, match="write s3://bucket"):
        file_store(url, Path("unused"))
