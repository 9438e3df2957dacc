// Every word that the widget says by itself.

export const en = {
  open: "Open chat",
  openUnread: "Open chat, {count} unread",
  close: "Close chat",
  panel: "Chat with {name}",
  log: "Conversation",
  write: "Write a message…",
  send: "Send",
  assistant: "Automated assistant",
  you: "You",
  askPerson: "Talk to a person",
  waiting: "Waiting for a person",
  waitingNotice: "Waiting for a person to join",
  asked: "A person has been asked to join",
  withPerson: "{person} is here",
  talkingTo: "You are talking to {person}",
  joined: "{person} joined the conversation",
  released: "You are talking to the automated assistant again",
  closed: "This conversation was closed. Write to open it again.",
  sending: "Sending…",
  sent: "Sent",
  failed: "Not sent.",
  retry: "Try again",
  typing: "The assistant is typing",
  reconnecting: "Connection lost. Reconnecting…",
  helpful: "Helpful",
  unhelpful: "Not helpful",
  rated: "Thank you for telling us",
  notRated: "Your rating did not arrive. Please try again.",
  sources: "Sources",
  choices: "Suggested replies",
  tooLong: "{over} characters too many: the limit is {limit}",
  noSession: "The chat cannot be reached: {reason}",
  today: "Today",
};

export function say(key, values = {}) {
  return en[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
