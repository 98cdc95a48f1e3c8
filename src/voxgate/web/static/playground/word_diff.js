// Which words of two texts differ: the shortest edit by Myers, "An O(ND) Difference Algorithm".

/** With more differences two texts are not compared: memory grows with the square of them. */
export const MOST_STEPS = 4000;

/** Pieces of `other` against `base`, in order: {kind: "same" | "more" | "less", words}; or null. */
export function wordDiff(base, other) {
  const [before, after] = [base, other].map((text) => text.split(/\s+/).filter(Boolean));
  const pieces = [];
  const add = (kind, word) => {
    if (pieces.at(-1)?.kind === kind) pieces.at(-1).words.push(word);
    else pieces.push({ kind, words: [word] });
  };
  const common = matches(before.map(plain), after.map(plain));
  if (common === null) return null;
  let at = 0;
  let place = 0;
  for (const [from, to] of common) {
    while (at < from) add("less", before[at++]);
    while (place < to) add("more", after[place++]);
    add("same", after[place++]);
    at += 1;
  }
  while (at < before.length) add("less", before[at++]);
  while (place < after.length) add("more", after[place++]);
  return pieces;
}

/** A word without case and punctuation: what people hear as the same. */
function plain(word) {
  return word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "") || word;
}

/** The pairs of places that both lists have in common, in order; null for too many differences. */
function matches(one, two) {
  const most = Math.min(one.length + two.length, MOST_STEPS);
  const middle = most + 1;
  const reach = new Int32Array(2 * most + 3); // for each diagonal, the farthest place in `one`
  const trace = []; // what `reach` was before each step, from its first diagonal on
  for (let step = 0; step <= most; step += 1) {
    trace.push(reach.slice(middle - step - 1, middle + step + 2));
    for (let line = -step; line <= step; line += 2) {
      const at = middle + line;
      const down = isDown(line, step, reach[at - 1], reach[at + 1]);
      let x = down ? reach[at + 1] : reach[at - 1] + 1;
      while (x < one.length && x - line < two.length && one[x] === two[x - line]) x += 1;
      reach[at] = x;
      if (x >= one.length && x - line >= two.length) return walkBack(trace, one.length, two.length);
    }
  }
  return null;
}

/** Whether a diagonal is best reached by a word more of the other list, or by one less of this. */
function isDown(line, step, left, right) {
  return line === -step || (line !== step && left < right);
}

function walkBack(trace, width, height) {
  const pairs = [];
  let [x, y] = [width, height];
  for (let step = trace.length - 1; step > 0; step -= 1) {
    const line = x - y;
    const at = line + step + 1;
    const down = isDown(line, step, trace[step][at - 1], trace[step][at + 1]);
    const begin = down ? trace[step][at + 1] : trace[step][at - 1] + 1; // after the edit
    while (x > begin) pairs.push([(x -= 1), (y -= 1)]);
    if (down) y -= 1;
    else x -= 1;
  }
  while (x > 0) pairs.push([(x -= 1), (y -= 1)]);
  return pairs.reverse();
}
