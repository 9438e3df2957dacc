from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from retrieval.fetch import Fetcher, NotFetched, Refused, public
from tests.retrieval.web_server import Site, serving

HERE = Fetcher(most_bytes=1 << 20, seconds=5, private=True)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def test_a_page_is_fetched_with_its_kind_and_the_end_of_its_redirects(site: Site) -> None:
    site.page("/end", "<p>Hello</p>", "text/html; charset=utf-8")
    site.pages["/start"] = (302, {"location": "/end"}, b"")
    page = HERE.fetch(site.url + "/start")
    assert (page.url, page.type, page.content) == (site.url + "/end", "text/html", b"<p>Hello</p>")
    assert site.asked[0][1]["user-agent"] == "deskhand"
    assert site.asked[0][1]["host"] == site.url.removeprefix("http://")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://10.1.2.3/", "http://192.168.0.1/x",
        "http://169.254.169.254/latest/meta-data", "http://0.0.0.0/", "http://2130706433/", "http://0x7f000001/",
        "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://100.64.0.1/", "http://[fd00::1]/",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_its_network_are_refused(url: str) -> None:
    with pytest.raises(Refused, match="no public address"):
        Fetcher().get(url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/x", "gopher://example.com", "/x", "http://"])
def test_only_http_addresses_are_asked(url: str) -> None:
    with pytest.raises(Refused, match="no http or https address"):
        Fetcher().get(url)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_public_addresses_are_not_refused(address: str) -> None:
    assert public(address)


def test_a_redirect_to_a_private_address_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import retrieval.fetch as fetch

    site.pages["/out"] = (302, {"location": "http://169.254.169.254/latest/meta-data"}, b"")
    port = site.url.rpartition(":")[2]
    monkeypatch.setattr(fetch, "public", lambda address: address == "127.0.0.1")  # the first hop counts as public
    with pytest.raises(Refused, match=r"169\.254\.169\.254"):
        Fetcher().get(f"http://127.0.0.1:{port}/out")


def test_endless_redirects_end(site: Site) -> None:
    site.pages["/round"] = (301, {"location": "/round"}, b"")
    with pytest.raises(NotFetched, match="more than 5 redirects"):
        HERE.get(site.url + "/round")
    assert len(site.asked) == 6


def test_a_page_that_is_or_unpacks_too_large_is_cut_off(site: Site) -> None:
    site.page("/large", b"x" * (2 << 20))
    site.page("/bomb", gzip.compress(b"x" * (50 << 20)), content_encoding="gzip")
    for path in ("/large", "/bomb"):
        with pytest.raises(NotFetched, match="larger than 1 MB"):
            HERE.get(site.url + path)


def test_a_server_that_does_not_answer_is_given_up(site: Site) -> None:
    import threading

    waiting = threading.Event()
    site.pages["/slow"] = lambda _: (200, {}, b"late" if waiting.wait(10) else b"")
    with pytest.raises(NotFetched, match=r"no answer within 0\.2 s"):
        Fetcher(seconds=0.2, private=True).get(site.url + "/slow")
    waiting.set()


def test_what_goes_wrong_is_said_with_the_address(site: Site) -> None:
    with pytest.raises(NotFetched, match="answered 404"):
        HERE.fetch(site.url + "/nowhere")
    with pytest.raises(NotFetched, match="cannot be looked up"):
        HERE.get("http://name.invalid/")
    with pytest.raises(NotFetched, match=r"127\.0\.0\.1:9"):
        HERE.get("http://127.0.0.1:9/")
