// The microphone: a recording in what the browser records best, a level, and the time.

const KINDS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

export class Microphone {
  /** `told` is called about twenty times a second with the level, 0 to 1, and the seconds. */
  constructor(told) {
    this.told = told;
  }

  /** Why there is none here; "" where there may be. */
  static get missing() {
    if (!window.isSecureContext) {
      return "Browsers open the microphone only for pages by https, or of this machine itself.";
    }
    if (!navigator.mediaDevices || !window.MediaRecorder) return "This browser records no sound.";
    return "";
  }

  /** Begin. Raises the browser's error, of which `refusal` makes a sentence. */
  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const kind = KINDS.find((each) => MediaRecorder.isTypeSupported(each));
    this.recorder = new MediaRecorder(this.stream, kind ? { mimeType: kind } : {});
    this.parts = [];
    this.recorder.addEventListener("dataavailable", ({ data }) => this.parts.push(data));
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(this.stream).connect(this.analyser);
    this.recorder.start(1000);
    this.begun = performance.now();
    this.timer = setInterval(() => this.measure(), 50);
  }

  measure() {
    const samples = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(samples);
    const loudness = Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
    const decibels = 20 * Math.log10(Math.max(loudness, 1e-6));
    this.told(Math.min(1, Math.max(0, 1 + decibels / 60)), (performance.now() - this.begun) / 1000);
  }

  /** End, and return the recording as a file with its seconds. */
  async stop() {
    const duration = (performance.now() - this.begun) / 1000;
    const ended = new Promise((resolve) => { this.recorder.addEventListener("stop", resolve, { once: true }); });
    this.recorder.stop();
    await ended;
    clearInterval(this.timer);
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
    const type = this.recorder.mimeType || "audio/webm";
    const extension = type.includes("mp4") ? "m4a" : type.includes("ogg") ? "ogg" : "webm";
    const moment = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", "-");
    return { file: new File(this.parts, `Recording ${moment}.${extension}`, { type }), duration };
  }
}

/** Why the microphone did not open. */
export function refusal(error) {
  if (error.name === "NotAllowedError") {
    return "The microphone was not allowed. Allow it for this page in the browser's settings, and try again.";
  }
  if (error.name === "NotFoundError") return "This machine has no microphone that the browser can use.";
  return `The microphone did not open: ${error.message}. Close what else records, and try again.`;
}
