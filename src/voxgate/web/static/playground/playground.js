// The playground: from a recording to words that can be heard, corrected and taken along.

import { KeptWork } from "./kept_work.js";
import { Options } from "./playground_options.js";
import { SourceChooser } from "./playground_source.js";
import { estimateSentence } from "./price_estimate.js";
import { Transcript } from "../transcript/transcript.js";
import { TranscriptPanel } from "../transcript/transcript_panel.js";
import { Transcription } from "./transcription.js";
import { asCurl, asPython } from "./transcription_request.js";
import { dollars, seconds, size } from "../units.js";

const of = (id) => document.getElementById(id);
const { dataset } = of("playground");
const limits = { maxBytes: Number(dataset.maxBytes), maxS: Number(dataset.maxS) };

/** The browser's memory; what it has no room for is told once. */
class Keep {
  async open() {
    this.kept = await KeptWork.open(dataset.owner);
    return this.kept?.load().catch(() => null) ?? null; // a database that cannot be read
  }

  async begin(source, options) {
    const wanted = of("keep").checked;
    if (!wanted) await this.clear();
    const done = wanted && await this.kept?.begin(source, options);
    of("away-says").textContent = done
      ? "The recording and its words stay in this browser until you throw them away, sign out, or begin another one."
      : "Nothing is kept in this browser: a reload loses the words.";
  }

  segment(place, segment) {
    return this.attempt(this.kept?.segment(place, segment));
  }

  note(fields) {
    return this.attempt(this.kept?.note(fields));
  }

  clear() {
    return this.attempt(this.kept?.clear());
  }

  async attempt(writing) {
    try {
      return await writing;
    } catch {
      this.kept.id = null;
      of("away-says").textContent = "This browser has no room left, so a reload loses the latest words.";
      return false;
    }
  }
}

const keep = new Keep();
const panel = new TranscriptPanel(keep);
const options = new Options(JSON.parse(dataset.models), showEstimate);
const chooser = new SourceChooser(limits, showEstimate);
let running = null; // the transcription, and `leave`, which shows what there is and says if that is any

function showEstimate() {
  of("compare-link").href = `/playground/compare?model=${encodeURIComponent(of("model").value)}`;
  const { source } = chooser;
  of("send").disabled = !source || running !== null;
  of("estimate").textContent = (source ? "" : "Choose a recording first. ") + estimateSentence(options.endpoints, source?.duration ?? null, Number(dataset.tokensPerS));
}

/** Send a recording, and show its words as they come. */
async function send(source, asked) {
  const transcript = new Transcript();
  transcript.facts = { task: asked.translate ? "translate" : "transcribe" };
  const begun = performance.now();
  of("kept").hidden = of("failed").hidden = true;
  showFacts([]);
  showWarnings([]);
  panel.open(transcript, source);
  showCode(source, asked);
  const writing = keep.begin(source, asked);
  running = new Transcription(source, asked, {
    upload: (sent, total) => showProgress(
      sent < total ? "Sending the recording." : "Sent. The server decodes and recognises it.",
      sent < total ? `${size(sent)} of ${size(total)}` : "",
      sent < total ? sent / total : null,
    ),
    segment: (segment) => {
      const place = transcript.add(segment);
      panel.add(place);
      writing.then(() => keep.segment(place, segment));
      const whole = source.duration;
      showProgress(
        "Recognising.",
        `${seconds(transcript.end)}${whole ? ` of ${seconds(whole)}` : ""} of sound`,
        whole ? Math.min(1, transcript.end / whole) : null,
      );
    },
    done: (event) => {
      const { text, segments, type, ...facts } = event;
      transcript.facts = { ...transcript.facts, ...facts, took: (performance.now() - begun) / 1000, generation: running.generation };
      writing.then(() => keep.note({ state: "done", facts: transcript.facts }));
      end();
      finish(transcript, source);
    },
    failed: ({ sentence }) => {
      transcript.facts.generation = running.generation;
      writing.then(() => keep.note({ state: "failed" }));
      end();
      of("failed").textContent = sentence;
      of("failed").hidden = false;
      leave();
    },
  });
  const leave = () => {
    const words = transcript.segments.length > 0;
    if (words) finish(transcript, source);
    else {
      panel.close();
      of("send").focus();
    }
    return words;
  };
  running.leave = leave;
  running.start();
  of("work").hidden = false;
  showProgress(source.address ? "The server fetches the recording." : "Sending the recording.", "", null);
  showEstimate();
  of("cancel").focus();
}

function end() {
  running = null;
  const waited = of("work").contains(document.activeElement);
  of("work").hidden = true;
  if (waited) of("result-title").focus(); // else the keyboard would begin at the top again
  showEstimate();
}

function showProgress(sentence, figures, share) {
  if (of("work-says").textContent !== sentence) of("work-says").textContent = sentence;
  of("work-figures").textContent = figures;
  if (share === null) of("work-bar").removeAttribute("value");
  else of("work-bar").value = share;
}

/** Show what is known of a transcript to which nothing is added any more. */
function finish(transcript, source) {
  const { usage, model, language, took, generation } = transcript.facts;
  const facts = [["Model", model ?? "unknown: the answer has no end"]];
  if (usage) {
    facts.push(["Sound", seconds(usage.seconds)], ["Cost", dollars(usage.cost)]);
    if (took) facts.push(["Time", `${seconds(took)}, ${Number((usage.seconds / took).toPrecision(2))} times as fast as speech`]);
  }
  of("generation").textContent = generation || "unknown";
  if (language) facts.push(["Language", new Intl.DisplayNames(["en"], { type: "language" }).of(language)]);
  showFacts(facts);
  showWarnings(transcript.facts.warnings ?? []);
  if (usage && !transcript.segments.length) {
    of("words").textContent = "No speech was found in this recording.";
  }
  panel.finish();
}

function showFacts(facts) {
  of("facts").replaceChildren(...facts.map(([name, value]) => {
    const group = document.createElement("div");
    group.append(
      Object.assign(document.createElement("dt"), { textContent: name }),
      Object.assign(document.createElement("dd"), { textContent: value }),
    );
    return group;
  }));
}

function showWarnings(warnings) {
  of("warnings").replaceChildren(...warnings.map(({ sentence }) => (
    Object.assign(document.createElement("p"), { className: "notice", textContent: sentence })
  )));
}

function showCode(source, asked) {
  of("code").hidden = false;
  of("code-curl").textContent = asCurl(asked, source, location.origin);
  of("code-python").textContent = asPython(asked, source, location.origin)
    || "# OpenAI's client sends files alone. For an address, use curl, or the field file_url.";
}

/** Show what a reload left: a transcript, or words that had arrived before it. */
function restore({ segments, names, facts, state, options: asked, ...source }) {
  const transcript = new Transcript();
  Object.assign(transcript, { names, facts });
  panel.open(transcript, source);
  for (const segment of segments) panel.add(transcript.add(segment));
  showCode(source, asked);
  finish(transcript, source);
  of("away-says").textContent = "From before, kept in this browser.";
  if (state === "done") return;
  of("kept").hidden = false;
  of("kept-sentence").textContent = `“${source.name}” was not finished. `
    + (segments.length ? `The words of its first ${seconds(transcript.end)} are below. ` : "No words had arrived. ")
    + "The server keeps nothing of it: to go on, the whole recording is sent again, which costs as a new one.";
  of("kept-again").onclick = () => {
    if (source.file) chooser.take(source.file, source.duration);
    send(source, options.choose(asked) ? asked : options.value);
  };
  of("kept-away").onclick = throwAway;
}

async function throwAway() {
  running?.cancel();
  end();
  await keep.clear();
  of("kept").hidden = of("failed").hidden = of("code").hidden = true;
  panel.close();
  of("file").focus();
}

of("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (chooser.source && !running) send(chooser.source, options.value);
});
of("cancel").addEventListener("click", () => {
  const cancelled = running;
  cancelled.cancel();
  keep.note({ state: "cancelled" });
  end();
  const words = cancelled.leave();
  of("failed").textContent = `Cancelled: the server has stopped.${words ? " Words that had arrived are below, and charged." : ""}`;
  of("failed").hidden = false;
  of("send").focus();
});
of("away").addEventListener("click", throwAway);

showEstimate();
const before = await keep.open();
if (before && !running) restore(before);
