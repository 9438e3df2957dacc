// Keeps one stream of frames open: WebSocket first, server-sent events when that is blocked, again after every break.
// Frames carry the offset to go on from, so a break can neither lose nor double an event.

const SILENCE_MS = 45_000; // The desk says something at least every 20 s; longer silence is a dead line.
const OPEN_MS = 6_000;
const BACKOFF_MS = [300, 800, 2_000, 4_000, 6_000];

export class Connection {
  #hooks;
  #stop = null;
  #wake = () => {};
  #send = null;

  /** hooks: base, token(), offset(), frame(data), live(isLive), expired() */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  start() {
    if (this.#stop) return;
    const { signal } = (this.#stop = new AbortController());
    addEventListener("online", () => this.#wake(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake(), { signal });
    this.#run(signal);
  }

  stop() {
    this.#stop?.abort();
    this.#stop = this.#send = null;
    this.#wake();
  }

  /** Writes a frame to the open WebSocket; false when there is none, and the caller must POST. */
  send(frame) {
    return this.#send ? (this.#send(JSON.stringify(frame)), true) : false;
  }

  async #run(stop) {
    for (let broken = 0; !stop.aborted; broken++) {
      let lived = false;
      for (const transport of [overSocket, overEvents]) {
        if (stop.aborted || lived) break;
        lived = await this.#once(transport, stop);
      }
      if (lived) broken = 0;
      if (!stop.aborted) await this.#pause(BACKOFF_MS[Math.min(broken, BACKOFF_MS.length - 1)]);
    }
  }

  /** One connection from open to break; true when it had come alive. */
  async #once(transport, stop) {
    let lived = false;
    try {
      const token = await this.#hooks.token();
      const result = await transport(this.#hooks, token, stop, (frame, send) => {
        if (!lived) {
          lived = true;
          this.#send = send;
          this.#hooks.frame(frame);
          this.#hooks.live(true);
        } else this.#hooks.frame(frame);
      });
      if (result === "expired") this.#hooks.expired();
    } catch {
      // Unreachable or broken off: the loop tries again, and the panel shows that it does.
    }
    if (!stop.aborted) {
      this.#send = null;
      this.#hooks.live(false);
    }
    return lived;
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms * (0.75 + Math.random() / 2));
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}

function overSocket({ base, offset }, token, stop, heard) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(new URL("widget/ws", base).href.replace(/^http/, "ws"));
    const close = () => socket.close();
    let watch = setTimeout(close, OPEN_MS);
    stop.addEventListener("abort", close, { once: true });
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token, offset: offset() }));
    socket.onmessage = ({ data }) => {
      clearTimeout(watch);
      watch = setTimeout(close, SILENCE_MS);
      heard(JSON.parse(data), (text) => socket.send(text));
    };
    socket.onclose = ({ code }) => {
      clearTimeout(watch);
      stop.removeEventListener("abort", close);
      code === 4401 ? resolve("expired") : reject(new Error(`closed with ${code}`));
    };
  });
}

async function overEvents({ base, offset }, token, stop, heard) {
  const quit = new AbortController();
  const close = () => quit.abort();
  let watch = setTimeout(close, OPEN_MS);
  stop.addEventListener("abort", close, { once: true });
  try {
    const response = await fetch(new URL(`widget/events?offset=${offset()}`, base), {
      headers: { authorization: `Bearer ${token}` },
      signal: quit.signal,
      cache: "no-store",
    });
    if (response.status === 401) return "expired";
    if (!response.ok) throw new Error(`events answered ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("events ended");
      clearTimeout(watch);
      watch = setTimeout(close, SILENCE_MS);
      const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const data = block.match(/^data: ?(.*)$/m);
        if (data) heard(JSON.parse(data[1]), null);
      }
    }
  } finally {
    clearTimeout(watch);
    stop.removeEventListener("abort", close);
  }
}
