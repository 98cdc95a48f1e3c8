// One recording through several models: their words side by side, seconds, and money.

import { estimate } from "./price_estimate.js";
import { textOf } from "../transcript/transcript.js";
import { Transcription } from "./transcription.js";
import { dollars, seconds, size } from "../units.js";
import { MOST_STEPS, wordDiff } from "./word_diff.js";

const of = (id) => document.getElementById(id);
const { dataset } = of("compare-recording");
const models = JSON.parse(dataset.models);
const cell = (row, model) => document.querySelector(`[data-row="${row}"][data-model="${CSS.escape(model)}"]`);
let running = null;
let stopped = false;

of("compare-file").addEventListener("change", ({ target }) => {
  const most = Number(dataset.maxBytes);
  const file = target.files[0];
  const large = file && file.size > most;
  of("compare-refused").hidden = !large;
  of("compare-send").disabled = Boolean(large);
  if (large) {
    of("compare-refused").textContent = `“${file.name}” has ${size(file.size)}, and this server takes recordings of ${size(most)} at most (max_upload_bytes).`;
  }
  const prices = models.map(({ endpoints }) => Math.max(...endpoints.map(({ price }) => estimate(price, 60, Number(dataset.tokensPerS)))));
  const total = prices.reduce((sum, each) => sum + each, 0);
  of("compare-estimate").textContent = total ? `All of them together: at most ${dollars(total)} for a minute of sound.` : "Free: no price is set for these models.";
});

of("compare-ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = of("compare-file").files[0];
  if (!file || running) return;
  stopped = false;
  of("compare-send").disabled = true;
  of("compare-cancel").hidden = false;
  for (const each of document.querySelectorAll("[data-row]")) each.textContent = "-";
  let first = null;
  for (const model of models) {
    if (stopped) break;
    of("compare-says").textContent = `${model.title} is listening.`;
    const text = await transcribe(file, model.name);
    if (text === null) continue;
    if (first === null) cell("differs", model.name).textContent = "the others are compared with this one";
    else show(model.name, first, text);
    first ??= text;
  }
  of("compare-says").textContent = stopped ? "Cancelled: the server has stopped." : "Every model has answered.";
  of("compare-send").disabled = false;
  of("compare-cancel").hidden = true;
});

of("compare-cancel").addEventListener("click", () => {
  stopped = true;
  running?.cancel();
  running?.leave(null);
});

/** The text of one model; null where it failed or was cancelled. */
function transcribe(file, model) {
  const words = cell("words", model);
  words.textContent = "";
  const begun = performance.now();
  return new Promise((resolve) => {
    const texts = [];
    const leave = (text) => {
      running = null;
      resolve(text);
    };
    running = new Transcription({ file, name: file.name }, { model, times: "segment" }, {
      upload() {},
      segment(segment) {
        texts.push(textOf(segment));
        words.textContent = texts.join(" ");
      },
      done({ text, usage }) {
        const took = (performance.now() - begun) / 1000;
        cell("took", model).textContent = seconds(took);
        cell("speed", model).textContent = `${Number((usage.seconds / took).toPrecision(2))} times as fast as speech`;
        cell("cost", model).textContent = dollars(usage.cost);
        leave(text);
      },
      failed({ sentence }) {
        words.textContent = sentence;
        leave(null);
      },
    });
    running.leave = leave;
    running.start();
  });
}

/** Show a text with the words marked that the first model has not, and where it has more. */
function show(model, first, text) {
  const pieces = wordDiff(first, text);
  if (!pieces) {
    cell("differs", model).textContent = `more than ${MOST_STEPS}`;
    return;
  }
  const differing = pieces.filter(({ kind }) => kind !== "same").reduce((sum, { words }) => sum + words.length, 0);
  cell("differs", model).textContent = String(differing);
  cell("words", model).replaceChildren(...pieces.flatMap(({ kind, words }) => {
    const element = document.createElement({ same: "span", more: "ins", less: "del" }[kind]);
    element.textContent = words.join(" ");
    return [element, " "];
  }));
}
