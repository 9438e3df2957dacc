"""What a customer does with the widget, in a real browser against a real desk."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Route, WebSocketRoute, expect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor


def lose_messages(visitor: Visitor) -> list[str]:
    """What the customer says gets lost on the way, as long as the list is empty."""
    mended: list[str] = []

    def carry(socket: WebSocketRoute) -> None:
        desk = socket.connect_to_server()
        socket.on_message(lambda text: desk.send(text) if mended or '"hello"' in str(text) else None)

    visitor.page.route_web_socket("**/widget/ws", carry)
    visitor.page.route("**/widget/messages", lambda route: route.continue_() if mended else None)
    return mended


def test_the_first_message_says_that_it_is_a_bot(visitor: Visitor) -> None:
    visitor.open()
    assert "automated assistant" in visitor.bubbles()[0]
    expect(visitor.panel.get_by_text("Automated assistant", exact=True).first).to_be_visible()


def test_a_message_gets_its_reply_and_is_marked_as_sent(visitor: Visitor) -> None:
    visitor.open().say("hello there")
    expect(visitor.log.get_by_text("Hello! How can I help?")).to_be_visible()
    expect(visitor.log.locator(".customer")).to_have_attribute("data-state", "read")
    assert visitor.bubbles()[1:] == ["hello there", "Hello! How can I help?"]


def test_a_message_shows_at_once_and_is_marked_as_on_its_way(visitor: Visitor) -> None:
    lose_messages(visitor)
    visitor.open().say("hello there")
    expect(visitor.log.get_by_text("Sending…")).to_be_visible()


def test_a_quick_reply_shows_its_title_and_sends_its_payload(visitor: Visitor) -> None:
    visitor.open().say("how do I return something")
    visitor.log.get_by_role("button", name="Start a return").click()
    expect(visitor.log.get_by_text("What is the order number?")).to_be_visible()
    assert "Start a return" in visitor.bubbles()
    assert not any(text.startswith("/") for text in visitor.bubbles())
    expect(visitor.log.get_by_role("group", name="Suggested replies")).to_have_count(0)


def test_sources_open_with_their_passage_and_lead_to_their_page(visitor: Visitor) -> None:
    visitor.open().say("the zip of my jacket is broken")
    sources = visitor.log.get_by_role("list", name="Sources")
    sources.get_by_text("Repairs").click()
    expect(sources.get_by_text("free of charge for ten years")).to_be_visible()
    source = sources.get_by_role("link", name="Open the page")
    expect(source).to_have_attribute("href", "https://shop.example/repair")
    expect(source).to_have_attribute("target", "_blank")
    expect(source).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_markup_stays_text_and_only_addresses_become_links(visitor: Visitor) -> None:
    text = "<img src=x onerror=alert(1)> (https://shop.example/a?b=1). Or javascript:alert(1), or me@shop.example!"
    visitor.open().say(text)
    said = visitor.log.locator(".customer")
    expect(said.locator("p")).to_have_text(text)
    links = said.get_by_role("link")
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://shop.example/a?b=1",
        "mailto:me@shop.example",
    ]
    assert visitor.log.locator("img").count() == 0


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " java\nscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:x",
        "http://",
        "",
    ],
)
def test_an_address_that_is_no_web_or_mail_address_is_no_link(visitor: Visitor, address: str) -> None:
    safe = """async address => {
        const file = performance.getEntriesByType("resource").find(entry => entry.name.endsWith("/element.js"));
        return (await import(file.name)).safeUrl(address);
    }"""
    visitor.open()
    assert visitor.page.evaluate(safe, address) is None
    assert visitor.page.evaluate(safe, "https://shop.example/x") == "https://shop.example/x"


def test_talking_to_a_person_is_one_tap_away_and_shows_who_came(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    expect(visitor.panel.get_by_text("Waiting for a person", exact=True).first).to_be_visible()
    desk.as_person(visitor.conversation, "join", person="Maya Lindqvist")
    expect(visitor.log.get_by_text("Maya Lindqvist joined the conversation")).to_be_visible()
    desk.as_person(visitor.conversation, "messages", person="Maya Lindqvist", text="Hi, Maya here.")
    expect(visitor.log.get_by_text("Hi, Maya here.")).to_be_visible()
    visitor.say("my zip broke")
    expect(visitor.log.locator(".customer").last).to_have_attribute("data-state", "sent")
    assert visitor.bubbles()[-2:] == ["Hi, Maya here.", "my zip broke"]
    desk.as_person(visitor.conversation, "release")
    expect(visitor.panel.get_by_role("button", name="Talk to a person")).to_be_enabled()


def test_the_log_follows_new_messages_unless_somebody_reads_further_up(visitor: Visitor, desk: Desk) -> None:
    below = "log => log.scrollHeight - log.scrollTop - log.clientHeight"
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    for number in range(12):
        desk.as_person(visitor.conversation, "messages", person="Maya", text=f"A long story, part {number}")
    visitor.log.get_by_text("A long story, part 11", exact=True).wait_for()
    assert visitor.log.evaluate(below) < 5
    visitor.composer.fill("a\nb\nc\nd\ne")
    visitor.page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert visitor.log.evaluate(below) < 5
    visitor.log.evaluate("log => new Promise(done => { log.onscroll = done; log.scrollTop = 0; })")
    desk.as_person(visitor.conversation, "messages", person="Maya", text="The end")
    visitor.log.get_by_text("The end").wait_for()
    assert visitor.log.evaluate("log => log.scrollTop") == 0
    visitor.say("thanks")
    assert visitor.log.evaluate(below) < 5


def test_a_rating_is_kept_over_a_reload(visitor: Visitor) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_role("button", name="Helpful", exact=True).click()
    expect(visitor.page.get_by_text("Thank you for telling us")).to_be_attached()
    visitor.visit()
    expect(visitor.log.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(visitor.log.get_by_role("button", name="Not helpful")).to_have_attribute("aria-pressed", "false")


def test_a_reload_brings_everything_back_once(visitor: Visitor) -> None:
    visitor.open().say("hello there")
    visitor.log.get_by_text("Hello! How can I help?").wait_for()
    before = visitor.bubbles()
    visitor.visit()
    expect(visitor.log.get_by_text("Hello! How can I help?")).to_be_visible()
    assert visitor.bubbles() == before


def test_two_tabs_of_one_visitor_show_the_same_conversation(visitors: Callable[..., Visitor]) -> None:
    first = visitors()
    first.open().say("hello there")
    first.log.get_by_text("Hello! How can I help?").wait_for()
    second = visitors(context=first.page.context).visit()
    second.say("how long is the guarantee")
    expect(first.log.get_by_text("ten years")).to_be_visible()
    assert first.bubbles() == second.bubbles()


def test_what_comes_while_the_panel_is_closed_is_counted_on_the_launcher(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    visitor.page.keyboard.press("Escape")
    desk.as_person(visitor.conversation, "join", person="Maya")
    desk.as_person(visitor.conversation, "messages", person="Maya", text="Hi, are you there?")
    expect(visitor.page.get_by_role("button", name="Open chat, 1 unread")).to_be_visible()
    visitor.launcher.click()
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()


def test_a_restart_of_the_desk_loses_and_doubles_nothing(visitor: Visitor, desk: Desk) -> None:
    visitor.open().say("hello there")
    visitor.log.get_by_text("Hello! How can I help?").wait_for()
    desk.stop()
    try:
        expect(visitor.page.get_by_text("Connection lost. Reconnecting…")).to_be_visible()
        visitor.say("how long is the guarantee")
        expect(visitor.log.locator(".customer").last).not_to_have_attribute("data-state", "sent")
    finally:
        desk.start()
    expect(visitor.log.get_by_text("ten years")).to_be_visible(timeout=20_000)
    expect(visitor.page.get_by_text("Connection lost. Reconnecting…")).to_be_hidden()
    said = visitor.bubbles()[1:]
    assert [said[0], said[1], said[2]] == ["hello there", "Hello! How can I help?", "how long is the guarantee"]
    assert len(said) == 4
    visitor.visit().log.get_by_text("ten years").wait_for()
    assert visitor.bubbles()[1:] == said


def test_a_restart_loses_and_doubles_nothing_without_websockets_either(visitor: Visitor, desk: Desk) -> None:
    visitor.page.add_init_script("delete window.WebSocket")
    visitor.open().say("hello there")
    visitor.log.get_by_text("Hello! How can I help?").wait_for()
    desk.stop()
    try:
        visitor.say("how long is the guarantee")
        expect(visitor.log.get_by_text("Not sent.")).to_be_visible()
    finally:
        desk.start()
    expect(visitor.log.get_by_text("ten years")).to_be_visible(timeout=20_000)
    assert len(visitor.bubbles()) == 5
    expect(visitor.log.get_by_text("Not sent.")).to_have_count(0)


def test_a_message_that_was_never_acknowledged_is_sent_after_a_reload(visitor: Visitor, desk: Desk) -> None:
    visitor.open()
    desk.stop()
    try:
        visitor.say("hello there")
        expect(visitor.log.locator(".customer")).to_be_visible()
        assert visitor.outbox == ["hello there"]
    finally:
        desk.start()
    visitor.visit()
    expect(visitor.log.get_by_text("Hello! How can I help?")).to_be_visible()
    assert visitor.bubbles().count("hello there") == 1
    assert visitor.outbox == []


@pytest.mark.parametrize("how", ["refused", "not there"])
def test_server_sent_events_and_post_take_over_when_websockets_are_blocked(
    visitor: Visitor, desk: Desk, how: str
) -> None:
    if how == "refused":
        visitor.page.route_web_socket("**/widget/ws", lambda socket: socket.close(code=1011))
    else:
        visitor.page.add_init_script("delete window.WebSocket")
    posts: list[str] = []
    visitor.page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    visitor.open().say("hello there")
    expect(visitor.log.get_by_text("Hello! How can I help?")).to_be_visible()
    assert any(url.endswith("/widget/messages") for url in posts)
    visitor.page.get_by_role("button", name="Talk to a person").click()
    desk_sees = visitor.log.get_by_text("Waiting for a person to join")
    expect(desk_sees).to_be_visible()
    desk.as_person(visitor.conversation, "join", person="Maya")
    expect(visitor.log.get_by_text("Maya joined the conversation")).to_be_visible()


def test_a_message_that_is_too_long_is_held_back_with_the_reason(visitor: Visitor) -> None:
    visitor.open().composer.fill("x" * 4001)
    expect(visitor.page.get_by_role("alert").get_by_text("1 characters too many: the limit is 4000")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Send")).to_be_disabled()
    visitor.composer.fill("hello there")
    expect(visitor.page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_message_that_the_desk_refuses_says_why_and_can_be_tried_again(visitor: Visitor) -> None:
    refusals = ["the desk is being painted"]

    def refuse(route: Route) -> None:
        if refusals:
            route.fulfill(status=422, json={"detail": refusals.pop()})
        else:
            route.continue_()

    visitor.page.add_init_script("delete window.WebSocket")
    visitor.page.route("**/widget/messages", refuse)
    visitor.open().say("hello there")
    expect(visitor.log.get_by_text("Not sent. The desk is being painted.")).to_be_visible()
    visitor.log.get_by_role("button", name="Try again").click()
    expect(visitor.log.get_by_text("Hello! How can I help?")).to_be_visible()
    assert visitor.bubbles().count("hello there") == 1


def test_dots_show_while_the_desk_thinks(visitor: Visitor) -> None:
    lose_messages(visitor)
    visitor.open().say("hello there")
    expect(visitor.panel.locator(".dots")).to_be_visible()
    expect(visitor.panel.get_by_role("status").get_by_text("Automated assistant is typing")).to_be_attached()


def test_a_message_without_an_answer_can_be_sent_again(visitor: Visitor) -> None:
    visitor.page.clock.install()
    mended = lose_messages(visitor)
    visitor.open().say("good hello")
    visitor.log.get_by_text("Sending…").wait_for()
    visitor.page.clock.fast_forward(21_000)
    expect(visitor.log.get_by_text("Not sent.")).to_be_visible()
    mended.append("yes")
    visitor.log.get_by_role("button", name="Try again").click()
    expect(visitor.log.get_by_text("Hello! How can I help?")).to_be_visible()
    assert visitor.bubbles().count("good hello") == 1


def rewrite(visitor: Visitor, old: str, new: str) -> None:
    """Changes the demo page on its way to the browser."""

    def change(route: Route) -> None:
        page = route.fetch()
        route.fulfill(response=page, body=page.text().replace(old, new))

    visitor.page.route("**/demo", change)


def test_theme_and_side_are_set_on_the_script_tag(visitor: Visitor) -> None:
    rewrite(visitor, 'data-site-key="demo"', 'data-site-key="demo" data-theme="dark" data-position="left"')
    box = visitor.open().launcher.bounding_box()
    assert box is not None
    assert box["x"] < 100
    shade = visitor.panel.evaluate("panel => getComputedStyle(panel).backgroundColor")
    assert all(int(part) < 60 for part in re.findall(r"\d+", shade)[:3])


def test_the_element_can_be_placed_by_hand_and_a_second_script_does_no_harm(visitor: Visitor) -> None:
    tag = '<script async src="widget.js" data-site-key="demo"></script>'
    rewrite(visitor, tag, f'<deskhand-chat site-key="demo"></deskhand-chat>{tag}{tag}')
    visitor.open().say("hello there")
    visitor.log.get_by_text("Hello! How can I help?").wait_for()
    assert visitor.page.locator("deskhand-chat").count() == 1


def test_the_accent_colour_is_the_shops_own(visitor: Visitor) -> None:
    visitor.visit().page.evaluate("document.body.style.setProperty('--deskhand-accent', 'rgb(120, 40, 140)')")
    colour = "launcher => getComputedStyle(launcher).backgroundColor"
    assert visitor.launcher.evaluate(colour) == "rgb(120, 40, 140)"


def test_an_unknown_site_key_says_so_in_the_panel(visitor: Visitor) -> None:
    rewrite(visitor, 'key="demo"', 'key="x"')
    visitor.visit().launcher.click()
    expect(visitor.page.get_by_role("alert").get_by_text("no site has the key 'x'")).to_be_visible()
