// The transcript with its sound and its tools: search, doubts, undo, copies and downloads.

import { Player } from "./player.js";
import { TranscriptView } from "./transcript_view.js";
import { csrf } from "../playground/transcription.js";
import { marks, search } from "./transcript_search.js";

const of = (id) => document.getElementById(id);

export class TranscriptPanel {
  /** `keep` has `segment(place, segment)` and `note(fields)`, which say whether they kept it. */
  constructor(keep) {
    this.keep = keep;
    this.places = []; // of the search
    this.at = -1;
    this.doubt = -1;
    this.player = new Player(of("sound"), of("wave"), of("sound-says"), (time) => this.lightAt(time));
    of("search").addEventListener("input", () => this.search());
    of("search").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    });
    of("next").addEventListener("click", () => this.step(1));
    of("before").addEventListener("click", () => this.step(-1));
    of("doubtful").addEventListener("click", () => this.nextDoubt());
    of("undo").addEventListener("click", () => this.view.undo());
    of("copy").addEventListener("click", () => this.copy());
    for (const button of document.querySelectorAll("[data-format]")) {
      button.addEventListener("click", () => this.download(button.dataset.format));
    }
    of("result").addEventListener("keydown", (event) => {
      const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
      if (undoes && !event.target.matches("input")) {
        event.preventDefault();
        this.view.undo();
      }
    });
  }

  /** Show a transcript, whose segments follow by `add`. */
  open(transcript, source) {
    this.transcript = transcript;
    this.source = source;
    this.view?.close();
    this.view = new TranscriptView(of("words"), transcript, {
      hear: (time) => this.player.hear(time),
      changed: (place) => this.correct(this.keep.segment(place, transcript.segments[place])),
      renamed: () => this.correct(this.keep.note({ names: transcript.names })),
    });
    of("search").value = "";
    for (const id of ["found", "download-says", "tools-say"]) of(id).textContent = "";
    this.places = [];
    this.doubt = -1;
    this.player.load(source.file ?? null, source.address
      ? "The recording is at its address, which this page does not read: its words are here without sound."
      : "The recording is not in this browser any more: its words are here without sound.");
    this.changed();
    of("result").hidden = false;
  }

  /** Leave nothing of a transcript on the page. */
  close() {
    of("result").hidden = true;
    this.player.unload();
    this.view?.close();
    of("words").replaceChildren();
  }

  add(place) {
    this.view.add(place);
  }

  /** All segments are there. */
  finish() {
    this.changed();
    if (this.source.file) this.player.draw(this.source.file, this.transcript);
  }

  lightAt(time) {
    const place = this.transcript?.spokenAt(time) ?? null;
    const moved = place && this.view.lit !== this.view.span(place);
    this.view?.light(place);
    if (moved && !of("sound").paused && !of("words").contains(document.activeElement)) {
      this.view.lit?.scrollIntoView({ block: "nearest" });
    }
  }

  /** Follow a correction, and say when it is kept. */
  async correct(keeping) {
    this.changed();
    of("tools-say").textContent = "";
    if (await keeping) of("tools-say").textContent = "Kept in this browser.";
  }

  changed() {
    of("undo").disabled = !this.transcript.edits.length;
    const doubts = this.transcript.doubts.length;
    of("doubtful").textContent = doubts ? `Next doubtful word (${doubts})` : "No doubtful word";
    of("doubtful").disabled = !doubts;
    if (of("search").value) this.search(false);
  }

  search(moves = true) {
    this.places = search(this.transcript, of("search").value);
    this.at = -1;
    this.view.mark(marks(this.places));
    of("found").textContent = of("search").value.trim() ? `${this.places.length} found` : "";
    if (moves && this.places.length) this.step(1);
  }

  step(by) {
    if (!this.places.length) return;
    this.at = (this.at + by + this.places.length) % this.places.length;
    const { segment, words } = this.places[this.at];
    of("found").textContent = `${this.at + 1} of ${this.places.length}`;
    of("words").querySelector(".current")?.classList.remove("current");
    const span = this.view.span({ segment, word: words[0] });
    span?.classList.add("current");
    this.view.show({ segment, word: words[0] });
    this.view.makeTabbable(span);
  }

  nextDoubt() {
    const { doubts } = this.transcript;
    if (!doubts.length) return;
    this.doubt = (this.doubt + 1) % doubts.length;
    this.view.go(doubts[this.doubt]);
  }

  async copy() {
    const text = this.transcript.text;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // pages by http have no clipboard of their own
      const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    of("tools-say").textContent = "Copied.";
  }

  /** Let the server write the transcript as it stands, and hand the file over. */
  async download(format) {
    const says = of("download-says");
    says.textContent = `Writing ${format} …`;
    try {
      const answer = await fetch(`/playground/export?format=${format}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Voxgate-Csrf": csrf() },
        body: JSON.stringify(this.transcript.record(this.source.name)),
      });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      const name = answer.headers.get("Content-Disposition").split("filename*=UTF-8''")[1];
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = decodeURIComponent(name);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      says.textContent = `${link.download} was written.`;
    } catch (error) {
      says.textContent = error instanceof TypeError
        ? "The server cannot be reached. Check that it runs, and repeat the download."
        : error.message;
    }
  }
}
