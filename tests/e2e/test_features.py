"""What customers do besides writing: conversations, cards, files, comments, stars, a form, another language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Route, WebSocketRoute, expect

if TYPE_CHECKING:
    from tests.e2e.conftest import Desk, Visitor

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="160"><rect width="240" height="160"/></svg>'
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "a5f645400000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def _pictures(visitor: Visitor) -> None:
    """The shop's pictures, which no test fetches from elsewhere."""
    visitor.page.route(
        "https://shop.example/**", lambda route: route.fulfill(body=PICTURE, content_type="image/svg+xml")
    )


def session(visitor: Visitor, **changes: Any) -> None:
    """The desk's answer to a new session, changed on its way: what a team may set in `config/deskhand.yml`."""

    def change(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), **changes})

    visitor.page.route("**/widget/session", change)


def events(visitor: Visitor, desk: Desk, conversation: str = "") -> list[dict[str, Any]]:
    url = f"{desk.url}/api/v1/conversations/{conversation or visitor.conversation}"
    found: list[dict[str, Any]] = httpx.get(url, headers=desk.operator).raise_for_status().json()["events"]
    return found


def test_cards_stand_in_a_row_and_their_buttons_answer_or_open(visitor: Visitor) -> None:
    visitor.open().say("/show_tents")
    cards = visitor.log.get_by_role("list", name="Cards").get_by_role("listitem")
    expect(cards).to_have_count(3)
    expect(cards.first.get_by_role("link", name="Look at it")).to_have_attribute("href", "https://shop.example/tarn")
    expect(cards.first.locator("img")).to_have_js_property("naturalWidth", 240)
    assert cards.last.get_by_role("link").count() == 0  # its address was no address
    cards.first.get_by_role("button", name="Send one back").click()
    expect(visitor.log.get_by_text("What is the order number?")).to_be_visible()
    assert "Send one back" in visitor.bubbles()


def test_a_picture_and_a_file_of_the_desk_open_elsewhere(visitor: Visitor) -> None:
    visitor.open().say("/show_zip")
    picture = visitor.log.get_by_role("link", name="Picture")
    expect(picture.locator("img")).to_have_js_property("naturalWidth", 240)
    visitor.say("/show_manual")
    manual = visitor.log.get_by_role("link", name="Tarn manual")
    expect(manual).to_have_attribute("href", "https://shop.example/manual.pdf")
    expect(manual).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_a_file_is_sent_shown_and_reaches_the_desk(visitor: Visitor, desk: Desk, tmp_path: Path) -> None:
    visitor.open()
    visitor.page.locator("input[type=file]").set_input_files(
        [{"name": "../my\u202e zip.png", "mimeType": "image/png", "buffer": PNG}]
    )
    picture = visitor.log.locator(".customer img")
    expect(picture).to_have_js_property("naturalWidth", 1)
    expect(picture).to_have_attribute("alt", "my zip.png")
    said = next(event for event in events(visitor, desk) if event["event"] == "UserSaid")
    (file,) = said["metadata"]["files"]
    url = f"{desk.url}/api/v1/files/{visitor.conversation}/{file['id']}"
    assert httpx.get(url, headers=desk.operator).content == PNG
    assert httpx.get(url).status_code == 401
    visitor.visit()
    expect(visitor.log.locator(".customer img")).to_have_js_property("naturalWidth", 1)


def test_a_file_that_is_not_taken_says_why_and_stays_out(visitor: Visitor) -> None:
    visitor.open()
    send = visitor.page.locator("input[type=file]").set_input_files
    send([{"name": "photo.png", "mimeType": "image/png", "buffer": b"MZ\x90\x00 a program"}])
    expect(visitor.log.get_by_text("Not sent. 'photo.png' is no png file inside")).to_be_visible()
    send([{"name": "setup.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ\x90\x00"}])
    expect(visitor.log.get_by_text("'setup.exe' is of a type that is not taken here")).to_be_visible()
    assert visitor.log.locator("img").count() == 0


def test_a_thumb_asks_for_a_comment_and_both_reach_the_desk(visitor: Visitor, desk: Desk) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_role("button", name="Not helpful").click()
    visitor.log.get_by_role("textbox", name="Tell us more (optional)").fill("ten or twelve?")
    visitor.log.locator(".comment").get_by_role("button", name="Send").click()
    expect(visitor.log.locator(".comment")).to_have_count(0)
    rated = [event for event in events(visitor, desk) if event["event"] == "Rated"]
    assert [(one["rating"], one["comment"]) for one in rated] == [(-1, ""), (-1, "ten or twelve?")]


def test_the_customer_ends_a_conversation_and_scores_it_once(visitor: Visitor, desk: Desk) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.menu.get_by_role("button", name="End conversation").click()
    stars = visitor.log.get_by_role("group", name="How did we do?")
    stars.get_by_role("radio", name="4 of 5").check()
    visitor.log.locator(".score").get_by_role("textbox").fill("quick")
    visitor.log.locator(".score").get_by_role("button", name="Send").click()
    expect(stars).to_have_count(0)
    expect(visitor.page.get_by_text("Thank you for telling us")).to_be_attached()
    last = events(visitor, desk)[-1]
    assert (last["event"], last["score"], last["comment"]) == ("Scored", 4, "quick")
    visitor.visit().log.get_by_text("ten years").wait_for()
    expect(stars).to_have_count(0)
    visitor.say("how do I return something")
    expect(visitor.log.get_by_text("60 days")).to_be_visible()


def test_several_conversations_stand_beside_each_other(visitor: Visitor, desk: Desk) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    first = visitor.conversation
    visitor.menu.get_by_role("button", name="New conversation").click()
    expect(visitor.log.get_by_text("ten years")).to_have_count(0)
    visitor.say("how do I return something")
    visitor.log.get_by_text("60 days").wait_for()
    visitor.menu.get_by_role("button", name="Your conversations").click()
    threads = visitor.page.locator(".thread")
    expect(threads).to_have_count(2)
    threads.filter(has_text="guaranteed for ten years").click()
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    assert visitor.log.get_by_text("60 days").count() == 0
    assert events(visitor, desk, f"{first}.2")[-1]["event"] in ("BotSaid", "ActionRan")
    visitor.visit()
    expect(visitor.log.get_by_text("ten years")).to_be_visible()


def test_a_person_in_another_conversation_is_heard_of_too(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    visitor.menu.get_by_role("button", name="New conversation").click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    visitor.page.keyboard.press("Escape")
    desk.as_person(visitor.conversation, "messages", person="Maya", text="I am in the first conversation")
    expect(visitor.page.get_by_role("button", name="Open chat, 1 unread")).to_be_visible()
    expect(visitor.page.locator(".preview")).to_contain_text("I am in the first conversation")
    visitor.page.locator(".preview .peek").click()
    expect(visitor.log.get_by_text("I am in the first conversation")).to_be_visible()


def test_what_is_said_while_a_new_conversation_is_looked_for_goes_there(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    first = visitor.conversation
    held: list[Route] = []
    visitor.page.route("**/widget/threads", lambda route: held.append(route))
    with visitor.page.expect_request("**/widget/threads"):
        visitor.menu.get_by_role("button", name="New conversation").click()
    visitor.say("how long is the guarantee")
    expect(visitor.composer).to_have_value("how long is the guarantee")
    held[0].continue_()
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    expect(visitor.composer).to_have_value("")
    assert "how long is the guarantee" not in json.dumps(events(visitor, desk, first))


def test_a_choice_and_a_message_of_the_page_go_to_the_new_conversation_too(visitor: Visitor, desk: Desk) -> None:
    visitor.open().say("how do I return something")
    choice = visitor.log.get_by_role("button", name="Start a return")
    choice.wait_for()
    first = visitor.conversation
    held: list[Route] = []
    visitor.page.route("**/widget/threads", lambda route: held.append(route))
    with visitor.page.expect_request("**/widget/threads"):
        visitor.menu.get_by_role("button", name="New conversation").click()
    choice.click()
    visitor.page.evaluate("void Deskhand.sendMessage('how long is the guarantee')")
    held[0].continue_()
    expect(visitor.log.get_by_text("What is the order number?").first).to_be_visible()
    expect(visitor.log.locator(".customer")).to_have_text([re.compile("Start a return"), re.compile("how long is the")])
    assert [event["text"] for event in events(visitor, desk, first) if event["event"] == "UserSaid"] == [
        "how do I return something"
    ]


def test_each_side_sees_that_the_other_has_read_without_an_answer(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    desk.as_person(visitor.conversation, "join", person="Maya")
    visitor.log.get_by_text("Maya joined").wait_for()
    visitor.say("hello?")
    last = visitor.log.locator(".customer").last
    expect(last).to_have_attribute("data-state", "sent")
    desk.as_person(visitor.conversation, "read", person="Ada")
    expect(last).to_have_attribute("data-state", "read")
    expect(last).to_contain_text("Read")
    visitor.visit()
    expect(last).to_have_attribute("data-state", "read")

    visitor.panel.get_by_role("button", name="Close chat").click()
    desk.as_person(visitor.conversation, "messages", person="Maya", text="Hi, Maya here.")
    visitor.page.locator(".preview").get_by_text("Hi, Maya here.").wait_for()
    assert events(visitor, desk, visitor.conversation)[-1]["event"] == "PersonSaid", "it is not read before it is seen"
    with visitor.page.expect_response("**/widget/seen"):
        visitor.page.locator(".preview .peek").click()
    seen = events(visitor, desk, visitor.conversation)[-1]
    assert (seen["event"], seen["person"]) == ("Seen", "")


def test_a_file_of_a_person_can_be_opened_by_the_customer(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    file = {"file": ("label.pdf", b"%PDF-1.7 a label")}
    data = {"conversation": visitor.conversation}
    sent = httpx.post(f"{desk.url}/api/v1/files", data=data, files=file, headers=desk.operator).json()
    body = {"person": "Maya", "files": [sent["id"]]}
    path = f"{desk.url}/api/v1/conversations/{visitor.conversation}/messages"
    httpx.post(path, json=body, headers=desk.operator).raise_for_status()
    link = visitor.log.get_by_role("link", name="label.pdf")
    expect(link).to_be_visible()
    assert visitor.page.request.get(str(link.get_attribute("href"))).body() == b"%PDF-1.7 a label"


def test_what_was_said_last_is_shown_beside_the_button_and_can_be_put_away(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    visitor.page.keyboard.press("Escape")
    desk.as_person(visitor.conversation, "messages", person="Maya", text="Are you there?")
    preview = visitor.page.locator(".preview")
    expect(preview).to_contain_text("Are you there?")
    preview.get_by_role("button", name="Dismiss").click()
    expect(preview).to_be_hidden()
    desk.as_person(visitor.conversation, "messages", person="Maya", text="Hello?")
    preview.get_by_text("Hello?").click()
    expect(visitor.panel).to_be_visible()
    expect(preview).to_be_hidden()


def test_a_person_who_types_and_their_face_are_seen(visitor: Visitor, desk: Desk) -> None:
    visitor.open().page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    desk.as_person(visitor.conversation, "messages", person="Priya Raman", text="Hi!")
    face = visitor.log.locator(".person .face img")
    expect(face).to_have_attribute("src", "https://shop.example/priya.svg")
    visitor.say("hello?")
    expect(visitor.log.locator(".customer").last).to_have_attribute("data-state", "sent")
    desk.as_person(visitor.conversation, "typing", person="Priya Raman")
    expect(visitor.panel.get_by_role("status").get_by_text("Priya Raman is typing")).to_be_attached()
    expect(visitor.panel.locator(".dots")).to_be_visible()
    expect(visitor.log.locator(".customer").last).to_have_attribute("data-state", "read")
    desk.as_person(visitor.conversation, "messages", person="Priya Raman", text="I am back")
    visitor.log.get_by_text("I am back").wait_for()
    expect(visitor.panel.locator(".dots")).to_be_hidden()


def test_a_reply_of_a_turn_that_goes_on_is_seen_at_once_and_announced_when_it_is_whole(visitor: Visitor) -> None:
    lines: list[WebSocketRoute] = []

    def carry(socket: WebSocketRoute) -> None:
        lines.append(socket)
        socket.connect_to_server()

    visitor.page.route_web_socket("**/widget/ws", carry)
    visitor.open()
    event = {"at": 1.0, "kind": "bot", "id": "d1", "in_reply_to": "m1", "ratable": False, "buttons": []}
    for text in ("Let me", "Let me look at your order"):
        lines[-1].send(json.dumps({"type": "draft", "event": {**event, "text": text, "citations": []}}))
    draft = visitor.log.locator("[data-draft]")
    expect(draft).to_have_text(re.compile("Let me look at your order"))
    expect(draft).to_have_attribute("aria-hidden", "true")
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    expect(draft).to_have_count(0)


def test_long_polls_take_over_when_nothing_else_gets_through(visitor: Visitor, desk: Desk) -> None:
    visitor.page.add_init_script("delete window.WebSocket")
    visitor.page.route("**/widget/events?*", lambda route: route.abort())
    polls: list[str] = []
    visitor.page.on("request", lambda request: polls.append(request.url) if "/poll?" in request.url else None)
    visitor.open().say("how long is the guarantee")
    expect(visitor.log.get_by_text("ten years")).to_be_visible()
    visitor.page.get_by_role("button", name="Talk to a person").click()
    visitor.log.get_by_text("Waiting for a person to join").wait_for()
    desk.as_person(visitor.conversation, "messages", person="Maya", text="Hi, Maya here.")
    expect(visitor.log.get_by_text("Hi, Maya here.")).to_be_visible()
    assert polls
    assert len(visitor.bubbles()) == len(set(visitor.bubbles()))


def test_the_form_before_a_chat_goes_along_with_the_messages(visitor: Visitor, desk: Desk) -> None:
    fields = [
        {"name": "email", "label": "E-mail", "type": "email", "required": True, "options": []},
        {"name": "topic", "label": "Topic", "type": "select", "required": False, "options": ["Order", "Repair"]},
    ]
    session(visitor, prechat=fields)
    visitor.visit().launcher.click()
    expect(visitor.composer).to_be_hidden()
    expect(visitor.page.get_by_role("button", name="Talk to a person")).to_be_visible()
    visitor.page.get_by_role("button", name="Start chatting").click()  # the browser asks for what is missing
    visitor.page.get_by_label("E-mail *").fill("jo@shop.example")
    visitor.page.get_by_label("Topic").select_option("Repair")
    visitor.page.get_by_role("button", name="Start chatting").click()
    visitor.say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    said = next(event for event in events(visitor, desk) if event["event"] == "UserSaid")
    assert said["metadata"]["attributes"] == {"email": "jo@shop.example", "topic": "Repair"}
    visitor.visit().page.locator(".root[data-live]").wait_for()
    expect(visitor.composer).to_be_visible()


def test_outside_business_hours_the_panel_says_when_people_are_back(visitor: Visitor) -> None:
    session(visitor, away=True, away_text="Gone fishing.", back_at=1_767_600_000)
    visitor.open()
    expect(visitor.panel.get_by_text(re.compile(r"Gone fishing\. Back Monday"))).to_be_visible()


def test_the_transcript_is_a_text_file(visitor: Visitor, desk: Desk) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    with visitor.page.expect_download() as download:
        visitor.menu.get_by_role("button", name="Download transcript").click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert lines[0] == "Fernwood Outdoor"
    assert [line.split("] ")[1] for line in lines[2:]] == [
        "You: how long is the guarantee",
        "Automated assistant: Everything we make is guaranteed for ten years.",
    ]


@pytest.mark.parametrize("how", ["page", "browser", "attribute"])
def test_the_language_is_that_of_the_tag_then_the_page_then_the_browser(
    visitors: Callable[..., Visitor], how: str
) -> None:
    visitor = visitors(locale="de-AT" if how == "browser" else "fr-FR")

    def change(route: Route) -> None:
        page = route.fetch()
        text = page.text().replace('lang="en"', {"page": 'lang="de"', "browser": ""}.get(how, 'lang="es"'))
        if how == "attribute":
            text = text.replace("data-site-key", 'data-locale="de" data-site-key')
        route.fulfill(response=page, body=text)

    visitor.page.route("**/demo", change)
    visitor.visit()
    visitor.page.get_by_role("button", name="Chat öffnen").click()
    expect(visitor.panel).to_have_accessible_name("Chat mit Fernwood Draußen")
    expect(visitor.log.get_by_text("Fernwoods automatischer Assistent")).to_be_visible()
    expect(visitor.log.get_by_role("button", name="Wo ist mein Paket?")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Mit Menschen reden")).to_be_visible()  # the desk's own word


def test_arrow_keys_walk_through_the_messages_and_bring_back_what_was_said(visitor: Visitor) -> None:
    visitor.open().say("how long is the guarantee")
    visitor.log.get_by_text("ten years").wait_for()
    keys = visitor.page.keyboard
    visitor.log.focus()
    texts = []
    for key in ("ArrowUp", "ArrowUp", "Home", "End"):
        keys.press(key)
        texts.append(visitor.log.locator(".message:focus p").inner_text())
    assert texts[:2] == ["Everything we make is guaranteed for ten years.", "how long is the guarantee"]
    assert "automated assistant" in texts[2]
    assert texts[3] == texts[0]
    visitor.composer.focus()
    keys.press("ArrowUp")
    expect(visitor.composer).to_have_value("how long is the guarantee")
