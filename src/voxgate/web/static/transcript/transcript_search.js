// Search in a transcript: every place, in its own order, without regard to case and accents.

import { textOf } from "./transcript.js";

/** The places of a text: for each, its segment and the numbers of its words there. */
export function search(transcript, wanted) {
  const plain = folded(wanted.trim());
  if (!plain) return [];
  const places = [];
  transcript.segments.forEach((segment, at) => {
    if (!folded(textOf(segment)).includes(plain)) return;
    let text = "";
    const spans = segment.words.map((word, number) => {
      if (!word.text) return null;
      const from = (text += folded(word.before)).length;
      text += folded(word.text);
      return { number, from, to: text.length };
    }).filter(Boolean);
    for (let from = text.indexOf(plain); from >= 0; from = text.indexOf(plain, from + plain.length)) {
      const words = spans.filter((span) => span.from < from + plain.length && span.to > from);
      if (words.length) places.push({ segment: at, words: words.map(({ number }) => number) });
    }
  });
  return places;
}

/** The words of places, as `TranscriptView.mark` takes them. */
export function marks(places) {
  const found = new Map();
  for (const { segment, words } of places) {
    if (!found.has(segment)) found.set(segment, new Set());
    for (const word of words) found.get(segment).add(word);
  }
  return found;
}

function folded(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
