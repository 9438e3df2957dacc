from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from functools import cache

import docx
import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from retrieval.articles import Article
from retrieval.errors import BadInput
from retrieval.ingest import Given, read
from retrieval.shelves import passages

GIVEN = Given("help/returns")


def one(name: str, content: bytes) -> Article:
    (article,) = read(name, content, GIVEN).articles
    return article


PAGE = b"""<html lang="de-AT"><head><title>Returns | The Shop</title><style>p{color:red}</style></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/cart">Cart</a></li></ul></nav>
<main><article><h1>Returns</h1><p>You may return unworn boots within thirty days of the delivery of your parcel.</p>
<script>alert('stolen'); document.write('<p>Injected words</p>')</script>
<h2>What it costs</h2><p>Returning is free in Austria. From other countries it costs five euros for each parcel.</p>
<ul><li>Print the label that came by mail</li><li>Bring the parcel to the post office</li></ul>
<table><tr><th>Country</th><th>Price</th></tr><tr><td>Austria</td><td>0 EUR</td></tr>
<tr><td>Italy</td><td>5 EUR</td></tr></table>
</article></main><footer><p>Copyright 2026 The Shop. All rights reserved. Imprint. Cookie settings.</p></footer>
</body></html>"""


def test_a_page_keeps_its_text_headings_lists_and_tables_and_loses_the_rest() -> None:
    article = one("returns.html", PAGE)
    assert (article.title, article.language) == ("Returns", "de")
    text = article.markdown
    for kept in ("unworn boots within thirty days", "## What it costs", "Print the label", "Italy", "5 EUR"):
        assert kept in text
    for lost in ("Cart", "alert", "Injected", "color:red", "Cookie", "All rights"):
        assert lost not in text
    costs = next(passage for passage in passages(article) if passage.heading == "What it costs")
    assert "Italy | 5 EUR" in costs.text


def test_a_page_without_text_of_its_own_is_refused() -> None:
    with pytest.raises(BadInput, match=r"returns\.html: has no text of its own"):
        read("returns.html", b"<html><body><div id='app'></div><script>go()</script></body></html>", GIVEN)


CLOTHS = ("cotton", "canvas", "nylon", "silk")


def pdf(pages: int = 4) -> FPDF:
    made = FPDF()
    made.set_title("Tent care")
    for number in range(1, pages + 1):
        made.add_page()
        made.set_font("helvetica", size=8)
        made.cell(text=f"Trail Tents Ltd, page {number}", new_x="LMARGIN", new_y="NEXT")
        made.ln(4)
        made.set_font("helvetica", style="B", size=18)
        made.cell(text=f"Chapter {number}: Seams", new_x="LMARGIN", new_y="NEXT")
        made.ln(4)
        made.set_font("helvetica", size=11)
        made.multi_cell(
            0,
            text=f"{CLOTHS[number - 1].title()} tents: seal model {number} every spring with two thin coats of "
            "sealant, and let each coat dry for six hours before you put the next one on or pack the tent away.",
        )
        made.ln(6)
        made.multi_cell(0, text=f"Never wash {CLOTHS[number - 1]} in a machine.")
    return made


def test_a_pdf_keeps_headings_and_paragraphs_and_loses_page_heads() -> None:
    article = one("care.pdf", bytes(pdf().output()))
    assert article.title == "Tent care"
    assert "Trail Tents Ltd" not in article.markdown
    cut = passages(article)
    assert [passage.heading for passage in cut] == [f"Chapter {number}: Seams" for number in range(1, 5)]
    assert (
        "model 3 every spring with two thin coats of sealant, and let each coat dry for six hours before you put"
        in cut[2].text
    )


def test_an_encrypted_pdf_is_refused_and_one_without_password_is_read() -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(bytes(pdf(1).output()))))
    writer.encrypt("secret", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    with pytest.raises(BadInput, match=r"care\.pdf: is encrypted; save it without a password"):
        read("care.pdf", file.getvalue(), GIVEN)


def test_a_scanned_pdf_is_refused_and_a_page_without_text_is_named() -> None:
    scanned = FPDF()
    scanned.add_page()
    scanned.rect(10, 10, 100, 100)
    with pytest.raises(BadInput, match="1 pages and no text; it is scanned"):
        read("care.pdf", bytes(scanned.output()), GIVEN)
    mixed = pdf(2)
    mixed.add_page()
    found = read("care.pdf", bytes(mixed.output()), GIVEN)
    assert [(part.what, part.why) for part in found.skipped] == [("page 3", "has no text")]


@pytest.mark.parametrize("content", [b"%PDF-1.7\nnothing", b"no pdf at all", bytes(range(256)) * 20])
def test_a_broken_pdf_is_refused_with_the_cure(content: bytes) -> None:
    with pytest.raises(BadInput, match=r"care\.pdf: .*(save it again|scanned)"):
        read("care.pdf", content, GIVEN)


def test_a_pdf_of_three_hundred_pages_is_read_whole() -> None:
    made = pdf(4)
    for number in range(5, 301):
        made.add_page()
        made.set_font("helvetica", size=11)
        made.multi_cell(0, text=f"Rule {number} says that the tent of kind {number} dries for {number} hours.")
    article = one("care.pdf", bytes(made.output()))
    assert all(f"Rule {number} says" in article.markdown for number in range(5, 301))


def word() -> bytes:
    made = docx.Document()
    made.add_heading("Gift cards", 0)
    made.add_paragraph("Gift cards never expire and can be spent online.")
    made.add_heading("How to use one", 1)
    for step in ("Put something into the cart", "Enter the number of the card"):
        made.add_paragraph(step, style="List Number")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip(
        (cell for row in table.rows for cell in row.cells), ("Value", "Fee", "10 EUR", "none"), strict=True
    ):
        cell.text = text
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def test_a_word_file_keeps_headings_lists_and_tables() -> None:
    article = one("gifts.docx", word())
    assert article.title == "Gift cards"
    first, second = passages(article)
    assert first.text == "Gift cards never expire and can be spent online."
    assert second.heading == "How to use one"
    assert "1. Put something into the cart\n2. Enter the number of the card" in second.text
    assert "Value | Fee\n10 EUR | none" in second.text


def test_a_zip_bomb_is_not_opened() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (300 << 20))
    assert len(file.getvalue()) < 1 << 20
    with pytest.raises(BadInput, match="would unpack to 300 MB"):
        read("gifts.docx", file.getvalue(), GIVEN)


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", word()[:-600]])
def test_a_broken_or_encrypted_word_file_is_refused(content: bytes) -> None:
    with pytest.raises(BadInput, match=r"gifts\.docx: is (no Word document|encrypted)"):
        read("gifts.docx", content, GIVEN)


def test_rows_of_questions_become_articles_with_all_that_they_say() -> None:
    table = (
        b"Question;Answer;Category;URL;alternatives\n"
        b"How do I pay?;With a card.\n"
        b'"Where is ""my"" parcel?";"Look at\nthe tracking page.";orders, parcels;'
        b"https://shop.example/t;where is it|track\n"
    )
    found = read("faq.csv", table, Given("faq", language="en"))
    (parcel,) = found.articles
    assert parcel.title == 'Where is "my" parcel?'
    assert parcel.markdown == "Look at\nthe tracking page."
    assert (parcel.tags, parcel.questions) == (("orders", "parcels"), ("where is it", "track"))
    assert (parcel.url, parcel.language) == ("https://shop.example/t", "en")
    assert [part.what for part in found.skipped] == ["line 2"]


def test_fifty_thousand_rows_survive_wrong_quotes_and_doubled_ids() -> None:
    rows = [f'{number},"Question {number}?","Answer, {number}"' for number in range(50_000)]
    rows[100] = '100,"Question that never ends?,"Answer"'
    rows[20_000] = '20000,"Open quote,Answer'
    rows[30_000] = '29999,"Again?","The id came before"'
    found = read("faq.csv", "\n".join(["id,question,answer", *rows]).encode(), Given("faq"))
    assert len(found.articles) == 49_997
    assert [part.what for part in found.skipped] == ["line 102", "line 20002", "line 30002"]
    assert "came before" in found.skipped[2].why
    assert found.articles[-1].markdown == "Answer, 49999"


def test_json_lines_are_read_and_bad_ones_named() -> None:
    lines = [
        json.dumps({"id": "a", "question": "Q?", "answer": "A."}),
        "{broken",
        "[1]",
        json.dumps({"question": "only"}),
    ]
    found = read("faq.jsonl", "\n".join(lines).encode(), Given("faq"))
    assert [article.id for article in found.articles] == ["faq/a"]
    assert [part.what for part in found.skipped] == ["line 2", "line 3", "line 4"]


def test_a_row_keeps_its_id_when_others_move() -> None:
    before = read("f.csv", b"question,answer\nA?,one\nB?,two", Given("f")).articles[1]
    after = read("f.csv", b"question,answer\nNew?,zero\nA?,one\nB?,two", Given("f")).articles[2]
    assert before.id == after.id
    assert before.hash == after.hash


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.md", b"", "is empty"),
        ("a.md", b"---\ntitle: A\n---\n\n", "has no text"),
        ("a.md", b"\xff\xfa\x00", "not UTF-8"),
        ("a.csv", b"name,price\nx,1", "it needs 'question' and 'answer'"),
        ("a.csv", b"question,answer\n,\n", "no question with an answer"),
        ("a.exe", b"MZ", "files of this kind are not read"),
        ("a.html", b"\x00\x01\x02\x03", "a.html"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(name: str, content: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        read(name, content, GIVEN)


@given(
    name=st.sampled_from(["a.pdf", "a.docx", "a.html", "a.csv", "a.jsonl", "a.md"]),
    at=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 40),
    put=st.binary(max_size=20),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_read_or_refused_and_nothing_else(name: str, at: float, cut: int, put: bytes) -> None:
    whole = _whole(name)
    place = int(at * len(whole))
    with suppress(BadInput):
        assert read(name, whole[:place] + put + whole[place + cut :], GIVEN).articles


@cache
def _whole(name: str) -> bytes:
    return {
        "a.pdf": lambda: bytes(pdf(2).output()),
        "a.docx": word,
        "a.html": lambda: (
            b"<title>T</title><h1>A</h1><p>Some text that is long enough for an article.</p><ul><li>x</ul>"
        ),
        "a.csv": lambda: b'question,answer,id\nA?,B,1\n"C?","D\nE",2\n',
        "a.jsonl": lambda: b'{"question": "a?", "answer": "b"}\n{"question": ["x"], "answer": {"a": 1}}\n',
        "a.md": lambda: b"---\ntitle: x\ntags: [a]\nupdated: 2026-01-01\n---\n# A\n\ntext\n\n- a\n- b\n",
    }[name]()
