// One conversation over the WebSocket. Lives outside the component, so that a rerun of the page interrupts nothing.

const WORDS = {
  denied: "The microphone is blocked. Allow it in the address bar of the browser, then press the button again.",
  missing: "No microphone was found. Plug one in, or type your question.",
  insecure: "The browser gives the microphone only to pages over https, or on this computer. Type your question.",
  unplugged: "The microphone is gone. Plug it in, or allow it again, then press the button.",
  taken: "Another program uses the microphone. Close it and press the button again.",
  lost: "The connection is lost. Trying again …",
  nothing: "I didn't hear a question.",
  refused: "A sentence was left out: the documents do not support it.",
};
const TROUBLES = {
  NotAllowedError: WORDS.denied,
  NotFoundError: WORDS.missing,
  SecurityError: WORDS.insecure,
  NotReadableError: WORDS.taken,
};
const TICKET_S = 45;
const ASK_AGAIN_MS = 5000;
const JUST_MS = 500;
const WAITING_FRAMES = 500; // ten seconds of speech while the connection opens

class Talk {
  constructor() {
    this.state = "idle"; // idle, listening, hearing, thinking, speaking
    this.microphone = false;
    this.level = 0;
    this.question = this.answer = this.draft = this.note = this.trouble = "";
    this.said = []; // of the latest answer, for replay
    this.unsent = [];
    this.attempts = 0;
    this.audio = new Audio24({
      onFrame: (pcm, level) => this.frame(pcm, level),
      onPosition: () => this.report(),
      onEnded: () => this.rest(),
      onUnplugged: () => this.unplugged(),
    });
  }

  // Every run of the page brings a new ticket and new functions.
  attach(data, component) {
    this.component = component;
    if (data.ticket !== this.ticket) Object.assign(this, { ticket: data.ticket, ticketAt: Date.now(), used: false });
    this.path = data.path;
    if (this.conversation !== undefined && this.conversation !== data.conversation_id) this.hangUp();
    this.conversation = data.conversation_id;
    if (!this.socket && !this.timer) this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.used || Date.now() - this.ticketAt > 1000 * TICKET_S) {
      const soon = ASK_AGAIN_MS - (Date.now() - (this.asked ?? -Infinity));
      if (soon > 0) this.timer = setTimeout(() => this.connect(), soon);
      else this.component.setTriggerValue("ticket_wanted", (this.asked = Date.now())); // `attach` comes with a new one
      return;
    }
    this.used = true;
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.path}`;
    const socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${this.ticket}`]);
    this.socket = socket;
    socket.onmessage = ({ data }) => this.received(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.socket && this.lost(code);
  }

  lost(code) {
    const busy = code === 1013;
    const admitted = code !== 4401;
    this.socket = null;
    this.ready = false;
    if (this.state !== "idle") this.quiet();
    if (admitted && !busy) this.trouble = WORDS.lost; // else the server has said why
    if (!admitted && this.attempts > 2) return this.draw();
    const wait = busy ? 10 : Math.min(15, 0.5 * 2 ** this.attempts++) * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), 1000 * wait);
    this.draw();
  }

  hangUp() {
    const socket = this.socket;
    clearTimeout(this.timer);
    this.socket = this.timer = null;
    this.ready = false;
    socket?.close();
    this.quiet();
    this.question = this.answer = this.note = "";
    this.said = [];
  }

  close() {
    this.hangUp();
    this.mute();
    this.audio.close();
  }

  send(event) {
    if (this.ready) this.socket.send(JSON.stringify(event));
  }

  frame(pcm, level) {
    this.level = level;
    this.drawLevel?.(level);
    if (this.ready) {
      if (this.socket.bufferedAmount < 1_000_000) this.socket.send(pcm.buffer);
    } else if (this.unsent.push(pcm.buffer) > WAITING_FRAMES) this.unsent.shift();
  }

  async toggle() {
    // Who wanted to end a question that has ended just now does not want to stop its answer.
    const ends = this.microphone && this.state === "thinking" && Date.now() - this.endedAt < JUST_MS;
    if (!ends && (this.state === "thinking" || this.state === "speaking")) return this.interrupt();
    if (this.microphone) return this.mute();
    if (this.opening) return; // the browser asks still
    this.trouble = "";
    this.opening = true;
    try {
      this.rate = await this.audio.listen();
      this.microphone = true;
      this.note = "";
      this.state = "listening";
      if (this.ready) this.tune();
      else if (!this.socket) this.connect();
    } catch (error) {
      this.trouble = TROUBLES[error.name] ?? `The microphone cannot be used: ${error.message}`;
    }
    this.opening = false;
    this.draw();
  }

  mute() {
    // Who presses the button at the end of a question has asked it: no more sound will tell the server of the pause.
    if (this.state === "hearing") this.send({ type: "input_audio_buffer.commit" });
    this.audio.deafen();
    this.microphone = false;
    this.unsent = [];
    this.level = 0;
    this.drawLevel?.(0);
    if (this.state === "thinking" || this.state === "speaking") this.draw();
    else this.rest();
  }

  unplugged() {
    this.mute();
    this.trouble = WORDS.unplugged;
    this.draw();
  }

  // The sound stops here and now; the server learns how much of it was heard.
  interrupt() {
    if (this.state !== "thinking" && this.state !== "speaking") return;
    if (!this.replaying) {
      const heard = Math.round(1000 * (this.audio.position ?? 0));
      if (this.item) this.send({ type: "conversation.item.truncate", item_id: this.item, audio_end_ms: heard });
      else this.send({ type: "response.cancel" });
    }
    this.quiet();
    this.draw();
  }

  quiet() {
    this.audio.silence();
    this.cut = this.response;
    this.item = null;
    this.note = "";
    this.rest();
  }

  rest() {
    this.replaying = false;
    this.draft = "";
    this.state = this.microphone ? "listening" : "idle";
    this.draw();
  }

  async replay() {
    if (!this.said.length) return;
    await this.audio.open();
    this.replaying = true;
    this.state = "speaking";
    this.audio.begin();
    for (const samples of this.said) this.audio.play(samples);
    this.audio.end();
    this.draw();
  }

  report() {
    if (this.replaying || !this.item || Date.now() - (this.reported ?? 0) < 200) return;
    this.reported = Date.now();
    const position_ms = Math.round(1000 * this.audio.position);
    this.send({ type: "ragvoice.playback", position_ms, response_id: this.response });
  }

  tune() {
    const format = { type: "audio/pcm", rate: this.rate ?? RATE };
    this.send({ type: "session.update", session: { type: "realtime", audio: { input: { format } } } });
    for (const buffer of this.unsent.splice(0)) this.socket.send(buffer);
  }

  turnOver(turn) {
    this.component.setTriggerValue("turn", { conversation_id: this.conversation, ...turn });
  }

  received(event) {
    const handle = HANDLERS[event.type];
    if (!handle || (event.response_id && event.response_id === this.cut)) return;
    handle(this, event);
    this.draw();
  }
}

const HANDLERS = {
  "session.created": (talk) => {
    Object.assign(talk, { ready: true, attempts: 0, trouble: "" });
    talk.tune();
  },
  "input_audio_buffer.speech_started": (talk) => {
    if (talk.audio.playing) talk.quiet();
    // What is stopped from now on is not the answer before.
    Object.assign(talk, { state: "hearing", question: "", answer: "", note: "", trouble: "", item: null, turn: null });
  },
  "ragvoice.partial": (talk, { text }) => (talk.question = text),
  "input_audio_buffer.speech_stopped": (talk) => Object.assign(talk, { state: "thinking", endedAt: Date.now() }),
  "conversation.item.input_audio_transcription.completed": (talk, { transcript }) => (talk.question = transcript),
  "ragvoice.nothing_heard": (talk) => {
    talk.rest();
    talk.note = WORDS.nothing;
  },
  "ragvoice.waiting": (talk, { ahead }) => {
    talk.state = "thinking";
    talk.note = ["", "One person is before you."][ahead] ?? `${ahead} people are before you.`;
  },
  "response.created": (talk, { response }) => {
    Object.assign(talk, { response: response.id, item: null, turn: null, answer: "", draft: "", note: "", said: [] });
    talk.state = "thinking";
    talk.audio.begin();
  },
  "response.output_item.added": (talk, { item }) => (talk.item = item.id),
  "response.output_audio_transcript.delta": (talk, { delta }) => {
    talk.answer += delta;
    talk.draft = "";
  },
  "ragvoice.draft": (talk, { text, refused }) => {
    talk.draft = refused ? "" : text;
    if (refused) talk.note = WORDS.refused;
  },
  "response.output_audio.delta": (talk, { delta }) => {
    const samples = samplesOf(delta);
    talk.said.push(samples);
    talk.audio.play(samples);
    talk.state = "speaking";
  },
  "ragvoice.paused": (talk) => talk.audio.pause(),
  "ragvoice.resumed": (talk) => talk.audio.resume(),
  "ragvoice.interrupted": (talk, { heard_text }) => {
    if (talk.audio.playing) talk.quiet();
    else if (talk.state === "thinking") {
      talk.note = ""; // how many were before it
      talk.rest();
    }
    // Of one that was not finished and of which nothing was heard there is nothing to show.
    if (heard_text || talk.turn) talk.turnOver({ turn_id: talk.turn ?? talk.response, interrupted: true });
  },
  "ragvoice.answer": (talk, { turn_id, outcome }) => {
    talk.turn = turn_id;
    talk.draft = ""; // the model may have gone on to what is no sentence of the answer
    talk.turnOver({ turn_id, outcome });
  },
  "response.done": (talk, { response }) => {
    if (talk.audio.playing) talk.audio.end();
    else if (response.id !== talk.cut) talk.rest();
  },
  error: (talk, { error }) => {
    talk.trouble = error.message;
    if (talk.state === "thinking") talk.rest();
  },
};
