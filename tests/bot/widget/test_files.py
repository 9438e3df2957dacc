from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.files import KINDS, check, safe_name
from bot.widget.links import Links
from retrieval.errors import BadInput, NotAllowed

ALL = tuple(KINDS)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\photo.png", "photo.png"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\x00b\n.txt", "ab.txt"),
        ('<img src="x">.png', "_img src=_x__.png"),
        ("CON.txt", "_CON.txt"),
        (".png", "_.png"),
        ("  zelt .png. ", "zelt.png"),
        ("帐篷.jpg", "帐篷.jpg"),
        ("x" * 300 + ".png", "x" * 116 + ".png"),
        ("帐" * 100 + ".png", "帐" * 38 + ".png"),
    ],
)
def test_a_name_becomes_one_that_is_a_name_everywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=300))
def test_no_name_leads_out_of_its_folder_or_hides_anything(name: str) -> None:
    safe = safe_name(f"{name}.png")
    assert safe.endswith(".png")
    assert len(safe.encode()) <= 120
    assert not set(safe) & set('/\\<>:"|?*\x00\n\u202e\u200b')
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("setup.exe", b"MZ", "of a type that is not taken here; send one of png"),
        ("page.html", b"<script>", "of a type that is not taken"),
        ("picture.svg", b"<svg onload=alert(1)>", "of a type that is not taken"),
        ("photo.png", b"MZ\x90", "no png file inside"),
        ("photo.png.exe", b"\x89PNG\r\n\x1a\n", "'photo.png.exe' is of a type"),
        ("notes.txt", b"\x00\x01", "no txt file inside"),
        ("notes.txt", b"\xff\xfe", "no txt file inside"),
        ("big.txt", b"x" * 1001, "at most 0.001"),
        ("empty.txt", b"", "empty"),
        ("noending", b"x", "of a type"),
    ],
)
def test_what_is_not_taken_is_refused_in_words_for_customers(name: str, data: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        check(name, data, types=ALL, most=1000)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.PNG", b"\x89PNG\r\n\x1a\n"),
        ("a.jpeg", b"\xff\xd8\xff\xe0"),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
        ("a.pdf", b"%PDF-1.7"),
        ("a.docx", b"PK\x03\x04"),
        ("a.heic", b"\x00\x00\x00\x18ftypheic"),
        ("a.csv", "größe,8\n".encode()),
    ],
)
def test_files_of_the_kind_that_they_say_are_taken(name: str, data: bytes) -> None:
    assert check(name, data, types=ALL, most=1000) == name


def test_a_team_decides_which_kinds_it_takes() -> None:
    with pytest.raises(BadInput, match="send one of pdf"):
        check("a.png", b"\x89PNG\r\n\x1a\n", types=("pdf",), most=1000)


def test_a_signed_address_is_good_for_its_file_and_its_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links("a secret of these tests")
    url = links.sign("w-1/abc/Zelt 1.png")
    assert url.startswith("/widget/files/w-1/abc/Zelt%201.png?until=")
    until, signature = (part.split("=")[1] for part in url.split("?")[1].split("&"))
    links.check("w-1/abc/Zelt 1.png", int(until), signature)
    for key, at, proof in (
        ("w-2/abc/Zelt 1.png", int(until), signature),
        ("w-1/abc/Zelt 1.png", int(until) + 1, signature),
        ("w-1/abc/Zelt 1.png", int(until), signature[:-1] + "é"),
    ):
        with pytest.raises(NotAllowed, match="no longer good"):
            links.check(key, at, proof)
    with pytest.raises(NotAllowed):
        Links("another").check("w-1/abc/Zelt 1.png", int(until), signature)
    monkeypatch.setattr("time.time", lambda: float(until) + 1)
    with pytest.raises(NotAllowed):
        links.check("w-1/abc/Zelt 1.png", int(until), signature)
