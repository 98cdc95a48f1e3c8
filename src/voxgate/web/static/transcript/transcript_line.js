// One line of a transcript: when, who, and what, as plain text.

import { textOf } from "./transcript.js";
import { clock } from "../units.js";

/** The elements of a segment: its line, and in it that of its text. */
export function lineOf(segment, transcript) {
  const line = element("div", "line");
  const head = element("div", "line-head");
  const text = element("p", "line-text", textOf(segment));
  text.dir = "auto";
  const time = button("time", clock(segment.start));
  time.setAttribute("aria-label", `Play from ${clock(segment.start)}`);
  head.append(time);
  if (segment.channel !== null) {
    const name = button(`speaker channel-${segment.channel}`, transcript.nameOf(segment.channel));
    name.dataset.channel = segment.channel;
    name.title = "Double-click, or F2, to name who speaks on this channel";
    head.append(name);
  }
  if (segment.doubt) {
    line.classList.add("doubted");
    head.append(element("span", "tag fair", `text ${segment.doubt}`));
  }
  line.append(head, text);
  return { line, text };
}

/** A button that Tab passes by: the words of its line lead to it. */
function button(className, text) {
  return Object.assign(element("button", `plain ${className}`, text), { type: "button", tabIndex: -1 });
}

function element(name, className, text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}
