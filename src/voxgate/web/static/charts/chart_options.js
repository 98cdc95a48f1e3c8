// What uPlot is told of a table's figures: lines over time, or stacked bars.

import { axisLabels, timeLabel } from "./chart_table.js";

const LABEL_WIDTH_PX = 64; // the least room for a label below the axis
const LETTER_WIDTH_PX = 7;
const DAY = 86_400; // seconds

// `colours(index)` gives the colour of a series, `inks()` those of what is not a series.
export function chartOptions(kind, figures, look, size) {
  const bars = kind === "bars";
  const count = figures.rows.length;
  return {
    ...size,
    padding: [12, 24, 0, 0],
    legend: { show: false },
    cursor: { x: true, y: false, drag: { x: false, y: false }, points: { size: 8, show: !bars } },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    scales: {
      x: { time: figures.timed && !bars, range: () => (bars || !figures.timed ? [-0.5, count - 0.5] : timeRange(figures)) },
      y: { range: yRange(kind, figures, look) },
    },
    axes: [xAxis(figures, look, bars), yAxis(figures, look)],
    series: [{}, ...figures.names.map((name, index) => (bars ? bar : line)(name, index, figures, look))],
  };
}

export function chartData(kind, figures) {
  const placed = kind === "bars" || !figures.timed;
  const places = figures.rows.map((row, index) => (placed ? index : row.at));
  return [places, ...figures.names.map((_, index) => figures.rows.map((row) => row.values[index]))];
}

function timeRange({ rows }) {
  const [least, most] = [rows[0].at, rows.at(-1).at];
  return least === most ? [least - DAY / 2, most + DAY / 2] : [least, most];
}

function line(label, index, figures, look) {
  return {
    label,
    stroke: () => look.colour(index),
    width: 2,
    points: { size: 6, width: 0, fill: () => look.colour(index), filter: alone },
  };
}

// The points that no line reaches: those with a gap on both sides.
function alone(plot, index, shown) {
  const values = plot.data[index];
  const lonely = (at) => values[at] != null && values[at - 1] == null && values[at + 1] == null;
  return shown ? null : [...values.keys()].filter(lonely);
}

// Each bar stands on the sum of those before it; that of a running bucket is hatched.
function bar(label, index, figures, look) {
  const sums = (upTo) => figures.rows.map((row) => sum(row.values.slice(0, upTo)));
  const fills = () => figures.rows.map((row) => (row.partial ? look.hatch(index) : look.colour(index)));
  const disp = {
    fill: { unit: 3, values: fills },
    y0: { unit: 1, values: () => sums(index) },
    y1: { unit: 1, values: () => sums(index + 1) },
  };
  const paths = uPlot.paths.bars({ size: [0.8, 64, 1], disp });
  return { label, width: 0, fill: () => look.colour(index), paths, points: { show: false } };
}

function sum(values) {
  return values.reduce((total, value) => total + (value ?? 0), 0);
}

// From zero; of uptime, whose differences are small, around its values, with 10 % of their range or
// half a point to spare.
function yRange(kind, figures, look) {
  const rows = figures.rows.map((row) => row.values.filter((value) => value !== null));
  const values = kind === "bars" ? rows.map(sum) : rows.flat();
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (look.uptime && values.length > 0) {
    const spare = Math.max((most - least) * 0.1, 0.5);
    return () => [Math.max(0, least - spare), Math.min(100, most + spare)];
  }
  return () => (most > 0 ? uPlot.rangeNum(Math.min(0, least), most, 0.1, true) : [Math.min(0, least || 0), 1]);
}

function yAxis(figures, look) {
  const labels = (plot, values) => axisLabels(values, figures.unit);
  const size = (plot, texts) => 14 + 7 * Math.max(0, ...(texts ?? []).map((text) => text.length));
  return { ...inks(look), values: labels, size, space: 36, ticks: { show: false }, gap: 6 };
}

function xAxis(figures, look, bars) {
  const axis = { ...inks(look), grid: { show: false }, space: LABEL_WIDTH_PX, size: 30, gap: 6 };
  if (figures.timed && !bars) {
    const daily = figures.rows.every((row) => row.at % DAY === 0);
    const incrs = daily ? { incrs: [1, 2, 7, 14, 30, 91, 182, 365].map((days) => days * DAY) } : {};
    const values = (plot, places, _, space, step) => places.map((at) => timeLabel(at, step));
    return { ...axis, ...incrs, values };
  }
  const splits = (plot) => someOf(figures, plot.bbox.width / devicePixelRatio);
  const values = (plot, places) => {
    const rows = places.map((place) => figures.rows[place]);
    if (figures.timed) {
      const step = stepOf(figures, places);
      return rows.map((row) => timeLabel(row.at, step));
    }
    const room = plot.bbox.width / devicePixelRatio / places.length / LETTER_WIDTH_PX;
    return rows.map(({ name }) => (name.length > room ? `${name.slice(0, Math.max(1, room - 1))}…` : name));
  };
  return { ...axis, splits, values };
}

// The rows that have a label: as many as have room, at whole days where rows are hours.
function someOf(figures, widthPx) {
  const count = figures.rows.length;
  let every = Math.max(1, Math.ceil(count / Math.max(1, Math.floor(widthPx / LABEL_WIDTH_PX))));
  if (figures.timed && count > 1 && figures.rows[1].at - figures.rows[0].at === 3600) {
    every = [1, 2, 3, 6, 12, 24, 48].find((hours) => hours >= every) ?? every;
    const first = figures.rows.findIndex((row) => (row.at / 3600) % every === 0);
    return [...Array(count).keys()].filter((place) => place >= first && (place - first) % every === 0);
  }
  return [...Array(count).keys()].filter((place) => place % every === 0);
}

function stepOf(figures, places) {
  const [first, second] = places.length > 1 ? places : [0, Math.min(1, figures.rows.length - 1)];
  return figures.rows[second].at - figures.rows[first].at;
}

function inks(look) {
  return {
    stroke: () => look.ink(),
    font: `12px ${look.font}`,
    grid: { stroke: () => look.grid(), width: 1 },
    ticks: { stroke: () => look.grid(), width: 1, size: 4 },
  };
}
