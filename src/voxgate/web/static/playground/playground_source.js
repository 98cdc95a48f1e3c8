// Where a recording comes from: a file that is dropped or chosen, an address, or the microphone.

import { Microphone, refusal } from "./microphone.js";
import { clock, seconds, size } from "../units.js";

const PATIENCE_MS = 10_000; // for a browser to find out how long a file is

const of = (id) => document.getElementById(id);

export class SourceChooser {
  /** `limits` are `maxBytes` and `maxS` of the server; `changed` is called with the source or null. */
  constructor(limits, changed) {
    this.limits = limits;
    this.changed = changed;
    this.source = null;
    this.microphone = null;
    of("file").addEventListener("change", ({ target }) => {
      if (target.files.length) this.take(target.files[0]);
      target.value = ""; // so that the same file can be chosen again
    });
    of("remove").addEventListener("click", () => {
      this.set(null);
      of("file").focus();
    });
    of("record").addEventListener("click", () => this.record());
    of("stop").addEventListener("click", () => this.stop());
    of("address")?.addEventListener("change", ({ target }) => this.takeAddress(target));
    this.listenForDrops();
    if (Microphone.missing) {
      of("record").disabled = true;
      of("record").title = Microphone.missing;
      of("record").insertAdjacentElement("afterend", hint(Microphone.missing));
    }
  }

  listenForDrops() {
    const zone = of("drop");
    // Everywhere: a file that misses the zone would replace the page.
    for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
      document.addEventListener(kind, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        zone.classList.toggle("over", kind === "dragover" || kind === "dragenter");
        if (kind === "drop") this.drop(event.dataTransfer.files);
      });
    }
  }

  drop(files) {
    if (files.length > 1) this.refuse(`You dropped ${files.length} files. Drop one: each is a transcript of its own.`);
    else if (files.length) this.take(files[0]);
  }

  /** Take a file; one that the server would refuse is refused here, before a byte is sent. */
  async take(file, duration = null) {
    this.set(null);
    const { maxBytes, maxS } = this.limits;
    if (file.size > maxBytes) {
      this.refuse(`“${file.name}” has ${size(file.size)}, and this server takes recordings of ${size(maxBytes)} at most `
        + "(max_upload_bytes). Send its sound alone, as MP3 or Opus: an hour of speech has about 15 MB.");
      return;
    }
    if (!file.size) {
      this.refuse(`“${file.name}” is empty. Choose another one.`);
      return;
    }
    const source = { file, name: file.name, duration };
    this.set(source);
    source.duration ??= await durationOf(file);
    if (this.source !== source) return;
    if (source.duration > maxS) {
      this.set(null);
      this.refuse(`“${file.name}” lasts ${seconds(source.duration)}, and this server takes recordings of ${seconds(maxS)} at most `
        + "(max_upload_s). Send it in parts.");
    } else this.set(source);
  }

  takeAddress(field) {
    const address = field.value.trim();
    if (!address) {
      if (this.source?.address) this.set(null);
      return;
    }
    if (!/^https?:\/\/\S+$/i.test(address)) {
      this.refuse("The address of a recording begins with http:// or https://, as https://example.org/talk.mp3.");
      return;
    }
    const name = address.split(/[?#]/)[0].split("/").filter(Boolean).at(-1) ?? address;
    this.set({ address, name, duration: null });
  }

  async record() {
    of("record").disabled = true;
    this.set(null);
    try {
      this.microphone = new Microphone((level, time) => {
        of("level").value = level;
        of("recorded-time").textContent = clock(time);
        if (time > this.limits.maxS - 1) this.stop();
      });
      await this.microphone.start();
    } catch (error) {
      of("record").disabled = false;
      this.refuse(refusal(error));
      return;
    }
    of("recorder").hidden = false;
    of("stop").focus();
  }

  async stop() {
    if (!this.microphone) return;
    const { microphone } = this;
    this.microphone = null;
    const { file, duration } = await microphone.stop();
    of("recorder").hidden = true;
    of("record").disabled = false;
    await this.take(file, duration);
    of("send").focus();
  }

  set(source) {
    this.source = source;
    of("refused").hidden = true;
    of("chosen").hidden = !source;
    if (source) {
      of("chosen-name").textContent = source.name;
      of("chosen-facts").textContent = factsOf(source);
    }
    if (!source?.address && of("address")) of("address").value = "";
    this.changed(source);
  }

  refuse(sentence) {
    this.set(null);
    of("refused").textContent = sentence;
    of("refused").hidden = false;
  }
}

function factsOf({ file, address, duration }) {
  if (address) return "fetched by the server; its size and length are known then";
  const length = duration === null ? "its length is not known to this browser" : seconds(duration);
  return `${size(file.size)}, ${length}`;
}

function hint(sentence) {
  return Object.assign(document.createElement("span"), { className: "hint", textContent: sentence });
}

/** The seconds of a file, as far as the browser knows its format; else null. It reads the head. */
function durationOf(file) {
  return new Promise((resolve) => {
    const audio = document.createElement("audio");
    const address = URL.createObjectURL(file);
    const answer = () => {
      clearTimeout(timer);
      const found = Number.isFinite(audio.duration) ? audio.duration : null;
      audio.removeAttribute("src");
      URL.revokeObjectURL(address);
      resolve(found);
    };
    const timer = setTimeout(answer, PATIENCE_MS);
    audio.addEventListener("loadedmetadata", answer);
    audio.addEventListener("error", answer);
    audio.preload = "metadata";
    audio.src = address;
  });
}
