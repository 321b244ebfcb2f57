// Two audio processors. They run in the browser's audio thread, so a busy page neither drops sound nor stutters.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(Math.round(sampleRate / 50)); // 20 ms
    this.filled = 0;
    this.energy = 0;
    this.over = false;
    this.port.onmessage = () => (this.over = true); // any message: nobody listens any more
  }

  process([[channel]]) {
    for (const sample of channel ?? []) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.energy += clipped * clipped;
      this.frame[this.filled++] = Math.round(clipped * 32767);
      if (this.filled === this.frame.length) {
        const level = Math.sqrt(this.energy / this.filled);
        const pcm = this.frame.slice();
        this.port.postMessage({ pcm, level }, [pcm.buffer]);
        this.filled = 0;
        this.energy = 0;
      }
    }
    return !this.over;
  }
}

const HOP = 480; // 20 ms at 24 kHz
const SEARCH = 240;
const FADE = 240;

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.speed = 1;
    this.reset();
    this.port.onmessage = ({ data }) => {
      if (data.push) this.append(data.push);
      if (data.speed) this.speed = data.speed;
      if (data.end) this.complete = true;
      if (data.reset) this.reset();
      if ("pause" in data) this.paused = data.pause;
      if (data.flush) this.flushing = true;
    };
  }

  reset() {
    this.source = new Float32Array(24000 * 20);
    this.length = 0;
    this.position = 0; // samples of the source that were played
    this.ideal = 0; // where that would be if every stretch could be cut exactly
    this.ready = []; // stretched samples that wait for their turn
    this.complete = false;
    this.paused = false;
    this.flushing = false;
    this.level = FADE; // of FADE
    this.told = 0;
    this.over = false;
  }

  append(samples) {
    if (this.over) return;
    if (this.length + samples.length > this.source.length) {
      const larger = new Float32Array(2 * (this.length + samples.length));
      larger.set(this.source.subarray(0, this.length));
      this.source = larger;
    }
    this.source.set(samples, this.length);
    this.length += samples.length;
  }

  // Waveform similarity overlap-add (Verhelst and Roelands, 1993): another speed at the same pitch.
  stretch() {
    const { source, position, length } = this;
    const middle = Math.round(this.ideal + HOP * (this.speed - 1));
    if (Math.max(middle, position) + SEARCH + HOP > length) return false;
    let best = Math.max(0, middle);
    let likeness = 0; // of silence, which is cut in the middle
    for (let start = Math.max(0, middle - SEARCH); start <= middle + SEARCH; start += 4) {
      let product = 0;
      for (let i = 0; i < HOP; i += 4) product += source[start + i] * source[position + i];
      if (product > likeness) [likeness, best] = [product, start];
    }
    for (let i = 0; i < HOP; i++) {
      const weight = i / HOP;
      this.ready.push((1 - weight) * source[position + i] + weight * source[best + i]);
    }
    this.position = best + HOP;
    this.ideal += HOP * this.speed;
    return true;
  }

  next() {
    if (this.ready.length) return this.ready.shift();
    if (this.speed !== 1 && this.stretch()) return this.ready.shift();
    if (this.position === this.length) return null;
    this.ideal = this.position + 1;
    return this.source[this.position++];
  }

  process(_inputs, [output]) {
    const before = this.position;
    // A pause and a stop fade for ten milliseconds: no click, and far below 200 ms.
    const goal = this.paused || this.flushing ? 0 : FADE;
    for (let i = 0; i < output[0].length; i++) {
      const sample = this.over || goal + this.level === 0 ? null : this.next();
      for (const channel of output) channel[i] = ((sample ?? 0) * this.level) / FADE;
      if (sample !== null) this.level += Math.sign(goal - this.level);
    }
    if (this.flushing && !this.over && (this.level === 0 || this.position === before)) this.finish("flushed");
    if (!this.over && this.position > 0 && currentTime - this.told > 0.1) {
      this.told = currentTime;
      this.port.postMessage({ position: this.position / 24000 });
    }
    if (!this.over && this.complete && this.position >= this.length && !this.ready.length) this.finish("ended");
    return true;
  }

  finish(how) {
    this.over = true;
    this.port.postMessage({ position: this.position / 24000, [how]: true });
  }
}

registerProcessor("ragvoice-capture", Capture);
registerProcessor("ragvoice-player", Player);
