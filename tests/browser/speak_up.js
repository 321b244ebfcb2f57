// Beside what the microphone plays, the test can say something at a moment of its choice: speakUp(sound file in base64).

(() => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const context = new AudioContext();
    const heard = context.createMediaStreamDestination();
    context.createMediaStreamSource(await real(wanted)).connect(heard);
    window.speakUp = async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes.buffer) });
      source.connect(heard);
      window.rememberedSound.pressed();
      source.start();
    };
    return heard.stream;
  };
})();
