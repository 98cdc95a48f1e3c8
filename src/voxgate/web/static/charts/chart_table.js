// What a table says, read for drawing: rows with their times or names, and series of numbers.
//
// The first column has a time (<time datetime>, or ISO 8601 as text, always UTC) or a name; the others
// are series, whose cells have a number as people read it ("1,204", "$0.36", "99.2 %"). A cell without
// a number is a gap. A row with `data-partial` is a bucket that is still being filled.

export function readTable(table, unit) {
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]).map(readRow);
  const names = heads.slice(1).map((cell) => cell.textContent.trim());
  const timed = rows.length > 0 && rows.every((row) => row.at !== null);
  if (timed) {
    rows.sort((one, other) => one.at - other.at);
  }
  return { rows, names, unit, timed };
}

function readRow(row) {
  const [first, ...cells] = row.cells;
  return {
    name: first.textContent.trim(),
    at: readTime(first),
    partial: "partial" in row.dataset,
    texts: cells.map((cell) => cell.textContent.trim()),
    values: cells.map((cell) => readNumber(cell.textContent)),
  };
}

const ISO = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::\d\d)?)?/;

// Seconds since 1970, or null for a name.
function readTime(cell) {
  const time = cell.querySelector("time");
  const found = ISO.exec((time?.dateTime || cell.textContent).trim());
  return found ? Date.parse(`${found[1]}T${found[2] ?? "00:00"}:00Z`) / 1000 : null;
}

function readNumber(text) {
  const found = /-?\d[\d,]*(\.\d+)?(e-?\d+)?/.exec(text);
  return found ? Number(found[0].replaceAll(",", "")) : null;
}

// A cell's text with its unit, unless it says it already.
export function withUnit(text, unit) {
  const bare = /^-?[\d.,]+(e-?\d+)?$/.test(text);
  if (!bare || !unit) {
    return text;
  }
  return unit === "$" ? `$${text}` : `${text} ${unit}`;
}

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const PLAIN = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

// The labels of an axis: all with as many digits as their steps need.
export function axisLabels(values, unit) {
  const format = values.some((value) => Math.abs(value) >= 10_000) ? COMPACT : PLAIN;
  return values.map((value) => withUnit(format.format(value).replace("K", "k"), unit).replace(/(\d[kMB]) ?/, "$1 ").trim());
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// A short label of a time on an axis whose labels are `step` seconds apart.
export function timeLabel(at, step) {
  const time = new Date(at * 1000);
  const day = `${MONTHS[time.getUTCMonth()]} ${time.getUTCDate()}`;
  if (step >= 28 * 86_400) {
    return time.getUTCMonth() === 0 ? `${time.getUTCFullYear()}` : MONTHS[time.getUTCMonth()];
  }
  const midnight = at % 86_400 === 0;
  return step >= 86_400 || midnight ? day : time.toISOString().slice(11, 16);
}
