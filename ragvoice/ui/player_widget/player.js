// Plays the clips of one answer one after the other; more may come while it plays.

const PAUSE = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 5h4v14H6zM14 5h4v14h-4z"/></svg>'
const PLAY = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 5v14l11-7z"/></svg>'
const SPEED = "ragvoice-speed"

const players = new WeakMap()

export default function ({ data, parentElement }) {
  let player = players.get(parentElement)
  if (!player) {
    player = build(parentElement)
    players.set(parentElement, player)
  }
  player.show(data.answer, data.clips)
  // Streamlit also calls this between two updates; only an element that has left the page falls silent.
  return () => setTimeout(() => parentElement.isConnected || player.close(), 0)
}

function build(root) {
  const find = (selector) => root.querySelector(selector)
  const audio = find("audio"), play = find(".play"), done = find(".done"), state = find(".state"), speed = find(".speed")
  let answer = null, clips = [], at = 0, stopped = false

  const store = (value) => { try { localStorage.setItem(SPEED, value) } catch { /* private window */ } }
  const stored = () => { try { return localStorage.getItem(SPEED) } catch { return null } }
  if ([...speed.options].some((option) => option.value === stored())) speed.value = stored()

  function start(index) {
    at = index
    stopped = false
    audio.src = `data:audio/wav;base64,${clips[at]}`
    resume()
  }

  function resume() {
    stopped = false
    audio.playbackRate = Number(speed.value)
    audio.play().then(draw, (error) => {
      if (error.name !== "NotAllowedError") return
      stopped = true
      draw()
      state.textContent = "Press play to hear the answer"
    })
  }

  function pause() {
    stopped = true
    audio.pause()
    draw()
  }

  function draw() {
    const playing = !audio.paused && !audio.ended
    play.innerHTML = playing ? PAUSE : PLAY
    play.title = playing ? "Pause (Escape)" : "Play"
    play.setAttribute("aria-label", playing ? "Pause the spoken answer" : "Play the spoken answer")
    state.textContent = playing ? "Speaking" : stopped ? "Paused" : ""
  }

  function move() {
    const part = audio.duration ? audio.currentTime / audio.duration : 0
    done.style.width = `${(100 * (at + part)) / Math.max(1, clips.length)}%`
  }

  function onKey(event) {
    if (event.key === "Escape" && !audio.paused) pause()
  }

  play.onclick = () => {
    if (!audio.paused && !audio.ended) pause()
    else if (audio.ended && at + 1 >= clips.length) start(0)
    else resume()
  }
  find(".again").onclick = () => start(0)
  speed.onchange = () => {
    audio.playbackRate = Number(speed.value)
    store(speed.value)
  }
  audio.ontimeupdate = move
  audio.onpause = draw
  audio.onended = () => {
    if (at + 1 < clips.length) start(at + 1)
    else draw()
  }
  document.addEventListener("keydown", onKey)
  draw()

  return {
    show(newAnswer, newClips) {
      const waited = audio.ended && !stopped && newClips.length > clips.length
      clips = newClips
      if (newAnswer !== answer) {
        answer = newAnswer
        start(0)
      } else if (waited) start(at + 1)
    },
    close() {
      audio.pause()
      document.removeEventListener("keydown", onKey)
      players.delete(root)
    },
  }
}
