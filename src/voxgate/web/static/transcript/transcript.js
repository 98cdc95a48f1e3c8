// A transcript as its reader sees and changes it: segments of words, speakers' names, and undo.
//
// A segment's text is that of its words, with what stands between them; nothing of the text that
// the server sent is lost, whatever its script.

/** Below this confidence a word is marked as doubtful. */
export const DOUBTFUL = 0.5;

/** A segment from its text and from what of it has times: its words, or itself. */
export function segmentOf(text, timed) {
  const own = text.trim();
  const alone = timed.length === 1 && timed[0].text.trim() === own;
  const words = alone && /\s/.test(own) ? spread(own, timed[0]) : timed.map(wordOf);
  const first = timed[0] ?? { start: 0, end: 0 };
  const source = timed.find((each) => each.time_source !== "interpolated")?.time_source;
  const segment = {
    start: first.start,
    end: timed.at(-1)?.end ?? 0,
    channel: first.channel ?? null,
    confidence: alone ? first.confidence ?? null : null,
    doubt: first.doubt ?? null,
    time_source: source ?? "recognised",
    words: words.length ? words : spread(own, first),
    after: "",
  };
  let place = 0;
  for (const word of segment.words) {
    const found = own.indexOf(word.text, place);
    word.before = found < 0 ? (place ? " " : "") : own.slice(place, found);
    if (found >= 0) place = found + word.text.length;
  }
  segment.after = own.slice(place);
  return segment;
}

function wordOf({ text, start, end, confidence, time_source }) {
  return { text: text.trim(), before: "", start, end, confidence: confidence ?? null, time_source };
}

/** The words of a text that has times as a whole, each in proportion to its characters. */
function spread(text, { start, end }) {
  const words = text.split(/\s+/).filter(Boolean);
  const total = words.reduce((sum, word) => sum + word.length, 0) || 1;
  let passed = 0;
  return words.map((word) => {
    const at = start + ((end - start) * passed) / total;
    passed += word.length;
    return { text: word, before: "", start: at, end: start + ((end - start) * passed) / total,
      confidence: null, time_source: "interpolated" };
  });
}

export function textOf(segment) {
  return (segment.words.map((word) => (word.text ? word.before + word.text : "")).join("") + segment.after).trim();
}

export class Transcript {
  constructor() {
    this.segments = [];
    this.names = {}; // of channels
    this.facts = {}; // of the last event: model, language, usage, warnings
    this.edits = [];
    this.order = null; // the places of all words by their start, made when it is needed
  }

  add(segment) {
    this.segments.push(segment);
    this.order = null;
    return this.segments.length - 1;
  }

  word({ segment, word }) {
    return this.segments[segment].words[word];
  }

  /** Change a word; an empty text removes it. Returns whether anything changed. */
  correct(place, text) {
    const word = this.word(place);
    const clean = text.replace(/\s+/g, " ").trim().slice(0, 1000);
    if (clean === word.text) return false;
    this.edits.push({ place, old: { text: word.text, confidence: word.confidence } });
    Object.assign(word, { text: clean, confidence: null });
    return true;
  }

  nameOf(channel) {
    return this.names[channel] ?? `Channel ${channel}`;
  }

  /** Name a channel, everywhere. Returns whether anything changed. */
  rename(channel, name) {
    const clean = name.replace(/\s+/g, " ").trim().slice(0, 20);
    if (!clean || clean === this.nameOf(channel)) return false;
    this.edits.push({ channel, old: this.names[channel] });
    this.names[channel] = clean;
    return true;
  }

  /** Take the last change back, and return it. */
  undo() {
    const edit = this.edits.pop();
    if (edit?.place) Object.assign(this.word(edit.place), edit.old);
    else if (edit?.old === undefined) delete this.names[edit?.channel];
    else this.names[edit.channel] = edit.old;
    return edit;
  }

  /** The place of the word that is spoken at a time, or null between words. */
  spokenAt(time) {
    this.order ??= this.segments
      .flatMap(({ words }, segment) => words.map((each, word) => ({ at: each.start, segment, word })))
      .sort((one, other) => one.at - other.at);
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.order[middle].at <= time) low = middle + 1;
      else high = middle;
    }
    const found = this.order[low - 1];
    return found && time < this.word(found).end + 0.25 ? found : null;
  }

  get duration() {
    return this.facts.usage?.seconds ?? this.end;
  }

  /** Where the last words end, in seconds. */
  get end() {
    return this.segments.reduce((end, segment) => Math.max(end, segment.end), 0);
  }

  get text() {
    return this.segments.map(textOf).filter(Boolean).join("\n");
  }

  get doubts() {
    return this.segments.flatMap(({ words, doubt }, segment) => words.flatMap((each, word) => (
      each.text && (isDoubtful(each) || (doubt && word === 0)) ? [{ segment, word }] : []
    )));
  }

  /** What the server writes files from: EditedTranscript. */
  record(name) {
    const channels = Math.max(0, ...this.segments.map((segment) => segment.channel ?? 0));
    const named = Object.keys(this.names).length;
    const { model, language, source_language: source, warnings } = this.facts;
    return {
      name,
      model: model ?? "",
      duration: Math.max(this.duration, this.end),
      ...(source || language ? { language: source ?? language } : {}),
      task: this.facts.task ?? "transcribe",
      warnings: warnings ?? [],
      channel_names: named ? Array.from({ length: channels }, (_, at) => this.nameOf(at + 1)) : [],
      segments: this.segments.map((segment) => ({
        text: textOf(segment),
        start: segment.start,
        end: segment.end,
        channel: segment.channel,
        confidence: segment.confidence,
        doubt: segment.doubt,
        time_source: segment.time_source,
        words: timesAreKnown(segment) ? segment.words.filter(({ text }) => text)
          .map(({ text, start, end, confidence, time_source }) => ({ text, start, end, confidence, time_source })) : [],
      })),
    };
  }
}

/** Whether a word has a time of its own: else the server places all of them, as it did before. */
function timesAreKnown(segment) {
  return segment.words.some(({ time_source }) => time_source !== "interpolated");
}

export function isDoubtful(word) {
  return word.confidence !== null && word.confidence < DOUBTFUL;
}
