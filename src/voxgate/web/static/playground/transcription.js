// One request for a transcript, and its events: the upload, each segment when it is final, the end.
//
// The events are Mistral's: OpenAI's have no times. XMLHttpRequest, since a fetch tells nothing of
// its upload; the file is sent from the disk and never read here.

import { requestOf } from "./transcription_request.js";
import { segmentOf } from "../transcript/transcript.js";

export class Transcription {
  /**
   * `source` has a `file`, or an `address`. `told` has `upload(sent, total)`, `segment(segment)`,
   * `done(facts)` and `failed({sentence, status})`; one of the last two is called, unless `cancel`.
   */
  constructor(source, options, told) {
    this.source = source;
    this.options = options;
    this.told = told;
    this.generation = "";
    this.request = new XMLHttpRequest();
    this.read = 0; // characters of the answer
    this.rest = ""; // an event that is not complete
    this.open = null; // a text whose times are still to come
    this.ended = false;
  }

  start() {
    const { path, fields } = requestOf(this.options);
    const form = new FormData();
    for (const [name, value] of fields) form.append(name, value);
    if (this.source.address) form.append("file_url", this.source.address);
    else form.append("file", this.source.file, this.source.name);
    const request = this.request;
    request.open("POST", path);
    request.setRequestHeader("Accept", "text/event-stream");
    request.setRequestHeader("X-Voxgate-Csrf", csrf());
    request.setRequestHeader("X-Title", "Playground"); // the app, in what the key used
    request.upload.addEventListener("progress", (event) => this.told.upload(event.loaded, event.total));
    // At each part of the answer, which is gone when the connection breaks: `progress` comes later.
    request.addEventListener("readystatechange", () => request.readyState <= XMLHttpRequest.LOADING && this.take());
    request.addEventListener("load", () => this.finish());
    request.addEventListener("error", () => this.finish());
    request.send(form);
  }

  /** End the request: its work on the server ends as well. */
  cancel() {
    this.ended = true;
    this.request.abort();
  }

  take() {
    if (this.ended || this.request.status !== 200) return;
    this.generation ||= this.request.getResponseHeader("X-Generation-Id") ?? "";
    const text = this.request.responseText;
    const events = (this.rest + text.slice(this.read)).split("\n\n");
    this.read = text.length;
    this.rest = events.pop();
    for (const event of events) {
      const line = event.split("\n").find((each) => each.startsWith("data: "));
      if (line && !this.ended) this.tell(JSON.parse(line.slice(6)));
    }
  }

  tell(event) {
    if (event.type === "transcription.text.delta") {
      this.close();
      this.open = { text: event.text, timed: [] };
    } else if (event.type === "transcription.segment" && this.open) {
      this.open.timed.push(event);
      if (isWhole(this.open)) this.close();
    } else if (event.type === "transcription.done") {
      this.close();
      this.ended = true;
      this.told.done(event);
    } else if (event.type === "error") {
      this.close();
      this.fail(event.error.message, this.request.status);
    }
  }

  close() {
    if (this.open) this.told.segment(segmentOf(this.open.text, this.open.timed));
    this.open = null;
  }

  async finish() {
    this.take();
    if (this.ended) return;
    const { status } = this.request;
    this.close();
    let sentence = "";
    try {
      sentence = JSON.parse(this.request.responseText).error.message;
    } catch {
      // not an answer of the API: what follows says what is known
    }
    if (!sentence && this.generation) sentence = await this.outcome();
    if (!this.ended) this.fail(sentence || (status
      ? `The server answered with ${status}. Try again; the log of the server says more.`
      : "The connection to the server broke, or the file was changed. Check both, and send the recording again."), status);
  }

  /** Ask the server how a stream ended that broke off: a browser may lose its last event. */
  async outcome() {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      try {
        const answer = await fetch(`/api/v1/generation?id=${encodeURIComponent(this.generation)}`, { headers: { "X-Voxgate-Csrf": csrf() } });
        const { error_code: code, status } = (await answer.json()).data ?? {};
        if (code) return `The server could not finish this recording: ${code} (${status}). Send it again; the server's log says more.`;
      } catch {
        break; // it cannot be reached: the usual sentence says so
      }
      await new Promise((resolve) => { setTimeout(resolve, 500); }); // the outcome is being written
    }
    return "The answer broke off before its end. What had arrived is below; send the recording again for the rest.";
  }

  fail(sentence, status) {
    this.ended = true;
    this.told.failed({ sentence, status });
  }
}

/** Whether the times of a text have reached its end. */
function isWhole({ text, timed }) {
  let place = 0;
  for (const { text: word } of timed) {
    const found = text.indexOf(word, place);
    if (found >= 0) place = found + word.length;
  }
  return text.slice(place).trim() === "";
}

/** What proves that this page sent a request. */
export function csrf() {
  return document.querySelector("meta[name=voxgate-csrf]").content;
}
