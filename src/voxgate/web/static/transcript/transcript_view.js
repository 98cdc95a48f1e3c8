// The words of a transcript on the page: one line a segment, each word to be heard and corrected.
//
// Hours of speech stay usable: lines lie in blocks that are laid out when they come near, and until
// then a line is plain text, whose words become elements of their own when it is looked at.

import { correct } from "./correction_field.js";
import { isDoubtful } from "./transcript.js";
import { lineOf } from "./transcript_line.js";

const BLOCK = 40; // lines

export class TranscriptView {
  /** `told` has `hear(time)`, `changed(segment)` and `renamed()`. */
  constructor(element, transcript, told) {
    this.element = element;
    this.transcript = transcript;
    this.told = told;
    this.lines = [];
    this.lit = null;
    this.found = new Map(); // segment -> its words that a search found
    this.tabbable = null;
    element.replaceChildren();
    element.classList.remove("of-speakers");
    this.near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) this.wake(Number(target.dataset.segment));
    }, { rootMargin: "400px" });
    this.listening = new AbortController();
    const on = (kind, act) => element.addEventListener(kind, act, { signal: this.listening.signal });
    on("click", (event) => this.clicked(event));
    on("dblclick", (event) => this.edit(event.target));
    on("keydown", (event) => this.pressed(event));
  }

  /** Leave the element to another view. */
  close() {
    this.near.disconnect();
    this.listening.abort();
  }

  /** Show the next segment. */
  add(place) {
    if (place % BLOCK === 0) {
      const block = document.createElement("div");
      block.className = "block";
      this.element.append(block);
    }
    const segment = this.transcript.segments[place];
    const { line, text } = lineOf(segment, this.transcript);
    line.dataset.segment = place;
    if (segment.channel !== null) this.element.classList.add("of-speakers");
    this.element.lastElementChild.append(line);
    this.lines[place] = { line, text, awake: false };
    this.near.observe(line);
    if (place === 0) this.wake(0);
  }

  /** Make the words of a line elements. */
  wake(place) {
    const { text, awake } = this.lines[place];
    if (awake) return;
    this.lines[place].awake = true;
    this.near.unobserve(this.lines[place].line);
    this.draw(place, text);
  }

  draw(place, text = this.lines[place].text) {
    const segment = this.transcript.segments[place];
    const found = this.found.get(place);
    const [focused, stop] = [document.activeElement, this.tabbable].map((each) => (text.contains(each) ? each.dataset.word : null));
    text.replaceChildren();
    segment.words.forEach((word, at) => {
      if (!word.text) return;
      const span = document.createElement("span");
      span.className = "word";
      span.tabIndex = -1;
      span.textContent = word.text;
      span.dataset.word = at;
      if (isDoubtful(word)) {
        span.classList.add("doubtful");
        span.title = `Recognised with ${Math.round(word.confidence * 100)} % confidence`;
      }
      if (found?.has(at)) span.classList.add("found");
      text.append(word.before, span);
    });
    text.append(segment.after);
    const again = (word) => word && text.querySelector(`[data-word="${word}"]`);
    this.makeTabbable(again(stop));
    again(focused)?.focus({ preventScroll: true });
    if (!this.tabbable?.isConnected) this.makeTabbable(this.element.querySelector(".word"));
  }

  /** The element of a word, made where it was not yet. */
  span({ segment, word }) {
    if (!this.lines[segment]) return null;
    this.wake(segment);
    return this.lines[segment].text.querySelector(`[data-word="${word}"]`);
  }

  placeOf(span) {
    const line = span.closest(".line");
    return { segment: Number(line.dataset.segment), word: Number(span.dataset.word) };
  }

  /** Mark the word that is spoken; null: none is. */
  light(place) {
    const span = place && this.span(place);
    if (span === this.lit) return;
    this.lit?.classList.remove("lit");
    this.lit = span;
    span?.classList.add("lit");
  }

  go(place) {
    const span = this.span(place);
    if (!span) return;
    this.makeTabbable(span);
    span.focus({ preventScroll: true });
    span.scrollIntoView({ block: "center" });
  }

  show(place) {
    this.span(place)?.scrollIntoView({ block: "center" });
  }

  /** Mark the words that a search found, by their segment. */
  mark(found) {
    const before = this.found;
    this.found = found;
    for (const place of new Set([...before.keys(), ...found.keys()])) {
      if (this.lines[place]?.awake) this.draw(place);
    }
  }

  makeTabbable(span) {
    if (!span) return;
    if (this.tabbable) this.tabbable.tabIndex = -1;
    this.tabbable = span;
    span.tabIndex = 0;
  }

  clicked({ target }) {
    if (target.matches(".word")) {
      this.makeTabbable(target);
      this.told.hear(this.transcript.word(this.placeOf(target)).start);
    } else if (target.matches(".time")) {
      this.told.hear(this.transcript.segments[Number(target.closest(".line").dataset.segment)].start);
    }
  }

  pressed(event) {
    const { target, key } = event;
    if (!target.matches(".word, .speaker")) return;
    const line = target.closest(".line");
    if (key === "F2" && event.shiftKey) this.edit(line.querySelector(".speaker") ?? target);
    else if (key.startsWith("Arrow") && target.matches(".speaker")) this.focusFirst(this.placeOf(target).segment);
    else if (key === "F2" || (key === "Enter" && target.matches(".word"))) this.edit(target);
    else if (key === " " && target.matches(".word")) this.clicked({ target });
    else if (key.startsWith("Arrow") && target.matches(".word")) this.move(target, key, event.ctrlKey || event.metaKey);
    else if ((key === "Home" || key === "End") && target.matches(".word")) this.move(target, key, false);
    else return;
    event.preventDefault();
  }

  /** Go to the next word, the previous one, the first or last of the line, or one of another line. */
  move(span, key, far) {
    const { segment } = this.placeOf(span);
    const all = [...this.lines[segment].text.querySelectorAll(".word")];
    const at = all.indexOf(span);
    let next = null;
    if (key === "Home") next = all[0];
    else if (key === "End") next = all.at(-1);
    else if (key === "ArrowRight" && !far) next = all[at + 1] ?? this.edge(segment, 1, 0);
    else if (key === "ArrowLeft" && !far) next = all[at - 1] ?? this.edge(segment, -1, -1);
    else next = this.edge(segment, key === "ArrowDown" || key === "ArrowRight" ? 1 : -1, 0);
    if (next) this.go(this.placeOf(next));
  }

  /** Go to the first word of a line, or of the next one that has words. */
  focusFirst(segment) {
    const span = this.edge(segment - 1, 1, 0);
    if (span) this.go(this.placeOf(span));
  }

  /** The first or last word of the nearest line with words, in a direction. */
  edge(segment, step, which) {
    for (let place = segment + step; this.lines[place]; place += step) {
      this.wake(place);
      const all = [...this.lines[place].text.querySelectorAll(".word")];
      if (all.length) return all.at(which);
    }
    return null;
  }

  /** Let a word or a speaker's name be corrected. */
  edit(target) {
    if (!target.matches(".word, .speaker")) return;
    const place = target.matches(".word") ? this.placeOf(target) : null;
    const [label, longest] = place ? ["Correct the word", 1000] : ["Name of the speaker", 20];
    correct(target, label, longest, (value, byKey) => {
      if (value !== null) this.keep(target, value, place);
      if (byKey) (place ? this.span(place) ?? this.edge(place.segment - 1, 1, 0) : target)?.focus();
    });
  }

  keep(target, value, place) {
    if (place) {
      if (!this.transcript.correct(place, value)) return;
      this.draw(place.segment);
      const span = this.span(place);
      if (span) this.makeTabbable(span);
      this.told.changed(place.segment);
    } else if (this.transcript.rename(Number(target.dataset.channel), value)) {
      this.drawNames();
      this.told.renamed();
    }
  }

  drawNames() {
    for (const name of this.element.querySelectorAll(".speaker")) {
      name.textContent = this.transcript.nameOf(Number(name.dataset.channel));
    }
  }

  /** Take the last change back. */
  undo() {
    const edit = this.transcript.undo();
    if (!edit) return;
    if (edit.place) {
      this.wake(edit.place.segment);
      this.draw(edit.place.segment);
      this.go(edit.place);
      this.told.changed(edit.place.segment);
    } else {
      this.drawNames();
      this.told.renamed();
    }
  }
}
