// Keeps one stream of frames open: WebSocket first, then server-sent events, then long polls, again after every break.
// Frames carry the offset to go on from, so a break can neither lose nor double an event.

const SILENCE_MS = 45_000; // The desk says something at least every 20 s; longer silence is a dead line.
const OPEN_MS = 6_000;
const BACKOFF_MS = [300, 800, 2_000, 4_000, 6_000];

export class Connection {
  #hooks;
  #stop = null;
  #wake = () => {};
  #send = null;

  /** hooks: visitor, thread, offset(), frame(data), live(isLive) */
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
      for (const transport of [overSocket, overEvents, overPolls]) {
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
    const quit = new AbortController();
    const close = () => quit.abort();
    stop.addEventListener("abort", close);
    let watch;
    try {
      const token = await this.#hooks.visitor.token();
      watch = setTimeout(close, OPEN_MS);
      await transport(this.#hooks, token, quit.signal, (frame, send = null) => {
        clearTimeout(watch);
        watch = setTimeout(close, SILENCE_MS);
        if (stop.aborted) return;
        if (!lived) this.#send = send;
        this.#hooks.frame(frame);
        if (!lived) this.#hooks.live(true);
        lived = true;
      });
    } catch (error) {
      // Unreachable or broken off: the loop tries again, and the panel shows that it does.
      if (error.status === 401) this.#hooks.visitor.session = null;
    }
    clearTimeout(watch);
    stop.removeEventListener("abort", close);
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

const broken = (status) => Object.assign(new Error(), { status });

function overSocket({ visitor, thread, offset }, token, signal, heard) {
  return new Promise((_, reject) => {
    const socket = new WebSocket(visitor.url("ws").href.replace(/^http/, "ws"));
    signal.addEventListener("abort", () => socket.close());
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token, thread, offset: offset() }));
    socket.onmessage = ({ data }) => heard(JSON.parse(data), (text) => socket.send(text));
    socket.onclose = ({ code }) => reject(broken(code - 4000));
  });
}

async function overEvents({ visitor, thread, offset }, token, signal, heard) {
  const response = await fetch(visitor.url(`events?thread=${thread}&offset=${offset()}`), {
    headers: { authorization: `Bearer ${token}` },
    signal,
    cache: "no-store",
  });
  if (!response.ok) throw broken(response.status);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.match(/^data: ?(.*)$/m);
      if (data) heard(JSON.parse(data[1]));
    }
  }
}

async function overPolls({ visitor, thread, offset }, _, signal, heard) {
  for (let wait = 0; !signal.aborted; wait = 1)
    heard(await visitor.ask(`poll?thread=${thread}&offset=${offset()}&wait=${wait}`, null, signal));
}
