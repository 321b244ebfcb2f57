// Microphone and loudspeaker of one page.

const RATE = 24000;
const LONGEST_PAUSE_MS = 1000;

class Audio24 {
  constructor({ onFrame, onPosition, onEnded, onUnplugged }) {
    Object.assign(this, { onFrame, onPosition, onEnded, onUnplugged });
    this.playing = false;
    this.speed = 1;
  }

  // Within a click: browsers let a page make sound only then.
  async open() {
    if (!this.context) {
      this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
      this.url = URL.createObjectURL(new Blob([WORKLETS], { type: "text/javascript" }));
      this.opened = this.context.audioWorklet.addModule(this.url).then(() => {
        this.player = new AudioWorkletNode(this.context, "ragvoice-player", { outputChannelCount: [1] });
        this.player.port.onmessage = ({ data }) => this.heard(data);
        this.player.connect(this.context.destination);
      });
    }
    // Safari has a third state, after a telephone call: interrupted.
    await Promise.all([this.opened, this.context.state === "running" ? null : this.context.resume()]);
  }

  async listen() {
    if (!navigator.mediaDevices) throw new DOMException("insecure page", "SecurityError");
    await this.open();
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
    try {
      // Whoever has left the page while the browser asked is not heard.
      if (!this.context) throw new DOMException("the page was left", "AbortError");
      for (const track of this.stream.getTracks()) track.onended = () => this.onUnplugged();
      this.ears = this.context;
      try {
        this.microphone = this.ears.createMediaStreamSource(this.stream);
      } catch {
        // Some browsers do not resample a microphone: take it at its own rate and let the server do it.
        this.ears = new AudioContext();
        await this.ears.audioWorklet.addModule(this.url);
        this.microphone = this.ears.createMediaStreamSource(this.stream);
      }
      this.capture = new AudioWorkletNode(this.ears, "ragvoice-capture", { numberOfOutputs: 0 });
    } catch (error) {
      this.deafen();
      throw error;
    }
    this.capture.port.onmessage = ({ data }) => this.onFrame(data.pcm, data.level);
    this.microphone.connect(this.capture);
    return this.ears.sampleRate;
  }

  deafen() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.microphone?.disconnect();
    if (this.capture) {
      this.capture.port.onmessage = null;
      this.capture.port.postMessage("over"); // or it would run as long as the page
    }
    if (this.ears && this.ears !== this.context) this.ears.close();
    this.stream = this.microphone = this.capture = this.ears = null;
  }

  begin() {
    this.position = 0;
    this.post({ reset: true, speed: this.speed });
  }

  play(samples) {
    this.playing = true;
    this.post({ push: samples });
  }

  end() {
    this.post({ end: true });
  }

  silence() {
    this.playing = false;
    this.post({ flush: true });
  }

  // The server says when it goes on; if it says nothing, it goes on all the same.
  pause() {
    this.post({ pause: true });
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => this.resume(), LONGEST_PAUSE_MS);
  }

  resume() {
    clearTimeout(this.pausing);
    this.post({ pause: false });
  }

  setSpeed(speed) {
    this.speed = speed;
    this.post({ speed });
  }

  // Before the first click there is no player yet; what arrives then is played from its beginning afterwards.
  post(message) {
    if (this.player) this.player.port.postMessage(message);
    else this.opened?.then(() => this.player.port.postMessage(message));
  }

  heard({ position, ended, flushed }) {
    this.position = Math.max(0, position - (this.context.outputLatency || 0));
    if (!flushed) this.onPosition(this.position);
    if (ended) {
      this.playing = false;
      this.onEnded();
    }
  }

  close() {
    this.deafen();
    this.context?.close();
    this.context = this.player = this.opened = null;
  }
}

function samplesOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const pcm = new Int16Array(bytes.buffer);
  return Float32Array.from(pcm, (sample) => sample / 32768);
}
