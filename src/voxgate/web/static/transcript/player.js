// The sound of a recording from the disk, with its waveform where one can be drawn.
//
// The browser's own player plays: it reads as much of the file as it needs. A waveform needs all
// samples in memory, so that of a long recording is made of its words instead.

const MAX_DECODED_S = 30 * 60;
const MAX_DECODED_BYTES = 64 * 2 ** 20;
const PEAKS = 2000;

export class Player {
  /** `told` is called with the time in seconds, whenever it changes. */
  constructor(audio, wave, says, told) {
    this.audio = audio;
    this.wave = wave;
    this.says = says;
    this.told = told;
    this.surfer = null;
    this.address = "";
    this.plays = false; // whether the browser can
    for (const kind of ["timeupdate", "seeked"]) audio.addEventListener(kind, () => told(audio.currentTime));
    audio.addEventListener("play", () => this.follow());
    audio.addEventListener("error", () => this.fail());
  }

  /** Load a file; null where the page has none. */
  load(file, why = "") {
    this.unload();
    this.plays = Boolean(file);
    this.audio.hidden = this.wave.hidden = !file;
    this.tell(file ? "" : why);
    if (!file) return;
    this.address = URL.createObjectURL(file);
    this.audio.src = this.address;
  }

  unload() {
    this.surfer?.destroy();
    this.surfer = null;
    this.audio.removeAttribute("src");
    this.audio.load();
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = "";
  }

  /** Draw the waveform of a file, once its words are known. */
  async draw(file, transcript) {
    if (!this.plays || !document.querySelector("script[data-waveform]")) return;
    const { default: WaveSurfer } = await import("../vendor/wavesurfer.esm.js");
    const long = transcript.duration > MAX_DECODED_S || file.size > MAX_DECODED_BYTES;
    this.surfer?.destroy();
    this.surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      height: 72,
      waveColor: getComputedStyle(this.wave).color,
      progressColor: getComputedStyle(this.wave).borderTopColor,
      cursorColor: getComputedStyle(this.wave).borderTopColor,
      barWidth: 2,
      barGap: 1,
      cspNonce: document.querySelector("link[nonce]").nonce,
      url: this.address,
      ...(long ? { peaks: [spoken(transcript)], duration: transcript.duration } : {}),
    });
    this.surfer.on("error", () => this.wave.replaceChildren());
    if (long) this.tell("The bars show where words are: for loudness this recording is too long.");
  }

  hear(time) {
    if (!this.plays) {
      this.told(time);
      return;
    }
    this.audio.currentTime = time;
    this.audio.play().catch(() => this.told(time));
  }

  follow() {
    this.told(this.audio.currentTime);
    if (!this.audio.paused && !this.audio.ended) requestAnimationFrame(() => this.follow());
  }

  fail() {
    if (!this.address) return;
    this.plays = false;
    this.audio.hidden = this.wave.hidden = true;
    this.tell("This browser cannot play the format of this recording, so its words are here without sound.");
  }

  tell(sentence) {
    this.says.textContent = sentence;
    this.says.hidden = !sentence;
  }
}

/** A curve that is high where words are. */
function spoken(transcript) {
  const peaks = new Array(PEAKS).fill(0.04);
  for (const { words } of transcript.segments) {
    for (const { start, end } of words) {
      const last = Math.min(PEAKS - 1, Math.floor((end / transcript.duration) * PEAKS));
      for (let at = Math.floor((start / transcript.duration) * PEAKS); at <= last; at += 1) peaks[at] = 0.6;
    }
  }
  return peaks;
}
