// What is seen of a conversation, and the keys.

const LABELS = {
  idle: ["Start talking", "Press the button and ask."],
  listening: ["Stop listening", "I am listening."],
  hearing: ["Stop listening", "I am listening …"],
  thinking: ["Stop the answer", "I am looking it up …"],
  speaking: ["Stop the answer", "Escape or the button stops me."],
};

function draw(root, talk) {
  const part = (name) => root.querySelector(`.${name}`);
  const text = (name, words) => {
    const element = part(name);
    if (element.textContent !== words) element.textContent = words;
    element.hidden = !words;
  };
  const [label, words] = LABELS[talk.state];
  part("voice").dataset.state = talk.state;
  part("talk").setAttribute("aria-pressed", String(talk.microphone));
  part("talk").setAttribute("aria-label", label);
  part("talk").title = label;
  text("state", talk.note || words);
  // Afterwards the page itself shows them, with the sources.
  const busy = ["hearing", "thinking", "speaking"].includes(talk.state);
  text("question", busy ? talk.question : "");
  text("answer", busy ? talk.answer : "");
  text("draft", busy ? talk.draft : "");
  text("trouble", talk.trouble);
  part("stop").hidden = talk.state !== "thinking" && talk.state !== "speaking";
  part("replay").hidden = !talk.said.length || busy;
  part("speed").hidden = !talk.said.length;
}

const talks = (globalThis.ragvoiceTalks ??= new Map());
const LEAVE_S = 3; // a rerun of the page draws the component anew at once; another page does not

export default function (component) {
  const { data, parentElement: root } = component;
  const talk = talks.get(data.key) ?? new Talk();
  talks.set(data.key, talk);
  clearTimeout(talk.leaving);
  talk.draw = () => draw(root, talk);
  talk.drawLevel = (level) =>
    root.querySelector(".talk").style.setProperty("--level", Math.min(1, 6 * level).toFixed(3));

  root.querySelector(".talk").onclick = () => talk.toggle();
  root.querySelector(".stop").onclick = () => talk.interrupt();
  root.querySelector(".replay").onclick = () => talk.replay();
  const speed = root.querySelector(".speed select");
  speed.value = String(talk.audio.speed);
  speed.onchange = () => talk.audio.setSpeed(Number(speed.value));
  const escape = (event) => event.key === "Escape" && talk.interrupt();
  document.addEventListener("keydown", escape);

  talk.attach(data, component);
  talk.draw();
  return () => {
    document.removeEventListener("keydown", escape);
    talk.leaving = setTimeout(() => {
      talks.delete(data.key);
      talk.close();
    }, 1000 * LEAVE_S);
  };
}
