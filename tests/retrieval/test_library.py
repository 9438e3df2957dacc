from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import BadInput, NotFound
from retrieval.fetch import Fetcher
from retrieval.ingest import Given
from retrieval.library import Library
from tests.retrieval.web_server import Site, serving

HERE = Fetcher(seconds=5, private=True)
PAGE = "<html><body><main><h1>{0}</h1><p>{1}</p></main></body></html>"
FAQ = b"question,answer\nHow do I pay?,With a card.\nWhere do you ship?,To France."


@pytest.fixture
def library(tmp_path: Path) -> Library:
    folder = tmp_path / "articles"
    folder.mkdir()
    return Library(tmp_path / "library", folder)


def write(library: Library, name: str, text: str) -> Path:
    assert library.folder is not None
    path = library.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_second_sync_touches_only_what_changed(library: Library) -> None:
    write(library, "a.md", "# A\n\nFirst text.")
    path = write(library, "sub/b.md", "# B\n\nSecond text.")
    assert library.sync().added == ("a", "sub/b")
    before = library.fingerprint()
    assert library.sync() == type(library.sync())()
    assert library.fingerprint() == before
    path.write_text("# B\n\nSecond text, changed.")
    assert library.sync().changed == ("sub/b",)
    path.unlink()
    assert library.sync().removed == ("sub/b",)
    assert [article.id for article in library.articles()] == ["a"]


def test_a_file_that_breaks_keeps_what_it_held_and_is_reported_until_it_is_mended(library: Library) -> None:
    path = write(library, "a.md", "# A\n\nFirst text.")
    library.sync()
    path.write_bytes(b"\xff\xfa broken")
    assert "not UTF-8" in library.sync().skipped[0].why
    assert "not UTF-8" in library.sync().skipped[0].why
    assert library.article("a").markdown.endswith("First text.")
    path.write_text("# A\n\nMended.")
    assert library.sync().changed == ("a",)
    assert library.sync().skipped == ()


def test_uploads_are_versioned_and_edited_in_place(library: Library) -> None:
    assert len(library.add("faq.csv", FAQ).added) == 2
    assert library.add("faq.csv", FAQ) == type(library.sync())()
    pay = next(article for article in library.articles() if "pay" in article.title)
    edited = library.edit(pay.id, markdown="With a card or an invoice.", questions=("is klarna ok",))
    assert edited.version == 2
    again = library.add("faq.csv", FAQ.replace(b"a card", b"cash"))
    assert again.changed == (pay.id,)
    assert [(one.version, one.markdown) for one in library.versions(pay.id)] == [
        (3, "With cash."),
        (2, "With a card or an invoice."),
        (1, "With a card."),
    ]


def test_what_customers_ask_stays_when_the_text_changes(library: Library) -> None:
    write(library, "pay.md", "---\ntitle: How do I pay?\nquestions: [ways to pay]\n---\nWith a card.")
    library.sync()
    assert library.learn({"pay": ["can i use klarna", "ways to pay", "can i use klarna"]}) == 1
    write(library, "pay.md", "---\ntitle: How do I pay?\nquestions: [ways to pay]\n---\nWith a card or cash.")
    library.sync()
    (article,) = library.articles()
    assert article.questions == ("ways to pay", "can i use klarna")
    assert article.markdown == "With a card or cash."


def test_a_refused_upload_changes_nothing(library: Library) -> None:
    library.add("faq.csv", FAQ)
    with pytest.raises(BadInput, match="needs 'question' and 'answer'"):
        library.add("faq.csv", b"name,price\n1,2")
    assert len(library.articles()) == 2
    with pytest.raises(BadInput, match="are not read"):
        library.add("virus.exe", b"MZ")
    assert len(library.articles()) == 2


def test_an_id_that_another_source_has_is_reported(library: Library) -> None:
    write(library, "a.md", "# A\n\nFrom the folder.")
    library.sync()
    report = library.add("a.html", PAGE.format("A", "From an upload, with enough words to be kept.").encode())
    assert "already that of an article from a.md" in report.skipped[0].why
    assert library.article("a").markdown.endswith("From the folder.")


def test_removal_is_by_article_or_source_and_never_of_the_folder(library: Library) -> None:
    write(library, "a.md", "# A\n\nText.")
    library.sync()
    library.add("faq.csv", FAQ)
    first, second = (article.id for article in library.articles() if article.id.startswith("faq"))
    assert library.remove(first).removed == (first,)
    assert library.remove("faq.csv").removed == (second,)
    with pytest.raises(BadInput, match="delete it there"):
        library.remove("a")
    with pytest.raises(NotFound, match="knowledge list"):
        library.remove("b")


def test_a_source_file_that_is_damaged_is_named(library: Library) -> None:
    library.add("faq.csv", FAQ)
    (path,) = library.store.glob("*.json")
    path.write_text("{")
    with pytest.raises(BadInput, match=rf"{path.name} cannot be read: .*add the source again"):
        library.articles()


def test_uploads_at_once_are_all_kept(library: Library) -> None:
    threads = [
        threading.Thread(target=library.add, args=(f"f{n}.md", f"# F{n}\n\nText {n}.".encode())) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(library.articles()) == 8


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def test_pages_of_a_sitemap_are_read_as_robots_txt_allows(library: Library, site: Site) -> None:
    site.page("/robots.txt", "User-agent: *\nDisallow: /private", "text/plain")
    for name in ("returns", "shipping", "private"):
        site.page(f"/{name}", PAGE.format(name, f"All that is to be known about {name} stands on this page."))
    names = ("returns", "shipping", "private", "gone")
    places = "".join(f"<url><loc>{site.url}/{name}</loc></url>" for name in names)
    site.page(
        "/pages.xml", f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{places}</urlset>", "text/xml"
    )
    index = f"<sitemapindex><sitemap><loc>{site.url}/pages.xml</loc></sitemap></sitemapindex>"
    report = library.add_sitemap(site.page("/sitemap.xml", index, "text/xml"), HERE)
    assert {id.rpartition("/")[2] for id in report.added} == {"returns", "shipping"}
    assert {article.url for article in library.articles()} == {f"{site.url}/returns", f"{site.url}/shipping"}
    reasons = {one.what.rpartition("/")[2]: one.why for one in report.skipped}
    assert "robots.txt" in reasons["private"]
    assert "404" in reasons["gone"]
    assert "/private" not in [path for path, _ in site.asked]


def test_pages_are_read_again_only_when_they_changed(library: Library, site: Site) -> None:
    text = PAGE.format("Returns", "You may return boots within thirty days of their delivery.")
    content = text.encode()

    def answer(request: object) -> tuple[int, dict[str, str], bytes]:
        if site.asked[-1][1].get("if-none-match") == '"1"':
            return 304, {}, b""
        return 200, {"content-type": "text/html", "etag": '"1"'}, content

    site.pages["/returns"] = answer
    (id,) = library.add_pages([site.url + "/returns"], HERE).added
    assert library.refetch(HERE) == type(library.sync())()
    assert site.asked[-1][1]["if-none-match"] == '"1"'
    site.page("/returns", text.replace("thirty", "sixty"))
    assert library.refetch(HERE).changed == (id,)
    site.pages["/returns"] = (503, {}, b"")
    assert "503" in library.refetch(HERE).skipped[0].why
    assert "sixty days" in library.article(id).markdown
    site.pages["/returns"] = (410, {}, b"")
    assert library.refetch(HERE).removed == (id,)


def test_a_page_on_this_network_is_skipped_unless_that_is_allowed(library: Library, site: Site) -> None:
    url = site.page("/returns", PAGE.format("Returns", "Text of an intranet page."))
    report = library.add_pages([url], Fetcher(seconds=5))
    assert "no public address" in report.skipped[0].why
    assert not site.asked


def test_what_a_source_was_told_is_kept(library: Library) -> None:
    library.add("staff.md", b"# Staff\n\nText for the team.", Given("staff", tags=("staff",), language="en"))
    (article,) = library.articles()
    assert (article.tags, article.language) == (("staff",), "en")
    stored = json.loads(next(library.store.glob("*.json")).read_text())
    assert stored["schema"] == "source/1"
