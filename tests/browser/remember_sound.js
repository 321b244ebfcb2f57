// Everything that reaches the loudspeaker passes a recorder in the audio thread, which a busy page does not disturb.

(() => {
  const RECORDER = `
    class Recorder extends AudioWorkletProcessor {
      constructor() {
        super();
        this.block = new Int16Array(2048);
        this.filled = 0;
        this.lastLoud = -1;
      }
      process([[channel]]) {
        for (let i = 0; i < (channel?.length ?? 0); i++) {
          if (Math.abs(channel[i]) > 1e-3) this.lastLoud = currentTime + i / sampleRate;
          this.block[this.filled++] = Math.round(32767 * Math.max(-1, Math.min(1, channel[i])));
          if (this.filled < this.block.length) continue;
          this.port.postMessage({ pcm: this.block.slice(), at: currentTime, lastLoud: this.lastLoud });
          this.filled = 0;
        }
        return true;
      }
    }
    registerProcessor("test-recorder", Recorder);`;
  const QUIET_BLOCKS = 12; // about a second at 24 kHz

  const sound = (window.rememberedSound = {
    rate: 0,
    blocks: [],
    lastLoud: -1,
    now: () => sound.context?.currentTime ?? 0,
    silentFor: () => (sound.lastLoud < 0 ? 0 : sound.now() - sound.lastLoud),
    sinceLatestPress: () => 1000 * Math.max(0, sound.lastLoud - (sound.pressedAt ?? 0)),
    pressed: () => (sound.pressedAt = sound.now()),
    forget: () => Object.assign(sound, { blocks: [], lastLoud: -1, quiet: 0 }),
    quiet: 0,
  });

  const base64 = (pcm) => btoa(String.fromCharCode(...new Uint8Array(pcm.buffer)));

  function remember({ pcm, lastLoud }) {
    const loud = lastLoud > sound.lastLoud;
    sound.lastLoud = Math.max(sound.lastLoud, lastLoud);
    sound.quiet = loud ? 0 : sound.quiet + 1;
    if (sound.lastLoud >= 0 && sound.quiet < QUIET_BLOCKS) sound.blocks.push({ pcm: base64(pcm) });
  }

  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...more) {
    if (target instanceof AudioDestinationNode) {
      const context = this.context;
      const url = URL.createObjectURL(new Blob([RECORDER], { type: "text/javascript" }));
      sound.ready = context.audioWorklet.addModule(url).then(() => {
        const recorder = new AudioWorkletNode(context, "test-recorder");
        recorder.port.onmessage = ({ data }) => remember(data);
        Object.assign(sound, { context, rate: context.sampleRate });
        connect.call(this, recorder);
        connect.call(recorder, target); // silent itself, but without a way to the loudspeaker it would not run
      });
    }
    return connect.call(this, target, ...more);
  };

  // The sound of <audio> elements goes the same way.
  const play = HTMLMediaElement.prototype.play;
  const taken = new WeakSet();
  HTMLMediaElement.prototype.play = function () {
    if (taken.has(this)) return play.call(this);
    taken.add(this);
    const context = new AudioContext();
    context.createMediaElementSource(this).connect(context.destination);
    return sound.ready.then(() => play.call(this));
  };

  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, sound.pressed, { capture: true });
})();
