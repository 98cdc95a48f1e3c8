// Draws each <figure data-chart="line|bars"> from the table in it. The table stays: for screen readers,
// and behind a button. Where uPlot is not installed nothing is changed.
//
//   <figure data-chart="line" data-unit="ms" data-axis="uptime">
//     <figcaption>What it shows</figcaption>
//     <div class="scroll"><table>…</table></div>
//   </figure>
//
// The first column has times or names, each further one is a series (see chart_table.js). `data-unit` is
// the unit of bare numbers. `data-axis="uptime"` lets the axis begin near the least value, not at zero.
// Bars are stacked. A page whose figure got a new table calls `draw(figure)` again.

import { chartData, chartOptions } from "./chart_options.js";
import { readValues } from "./chart_reader.js";
import { readTable } from "./chart_table.js";

const drawn = new Map(); // what is drawn of each figure

export function draw(figure) {
  const table = figure.querySelector("table");
  drawn.get(figure)?.end();
  if (!globalThis.uPlot || !table?.tHead || !table.tBodies[0]?.rows.length) {
    return;
  }
  const figures = readTable(table, figure.dataset.unit ?? "");
  const drawing = element("div", "drawing");
  const frame = element("div", "chart");
  frame.setAttribute("aria-label", figure.querySelector("figcaption")?.textContent.trim() || figures.names.join(", "));
  const dots = figures.names.map((_, index) => element("span", `dot series-${index % SERIES}`));
  const legend = element("ul", "legend");
  legend.setAttribute("aria-hidden", "true"); // the table has these names
  legend.append(...figures.names.map((name, index) => entry(name, dots[index])));
  const holder = holderOf(table, figure);
  drawing.append(legend, frame);
  holder.before(drawing);
  const button = toggle(figure, drawing, holder);

  const kind = figure.dataset.chart;
  const look = lookOf(frame, dots, figure.dataset.axis === "uptime");
  const size = () => ({ width: frame.clientWidth, height: frame.clientHeight });
  const plot = new uPlot(chartOptions(kind, figures, look, size()), chartData(kind, figures), frame);
  readValues(plot, frame, figures, dots);
  const observer = new ResizeObserver(() => frame.clientWidth && plot.setSize(size()));
  observer.observe(frame);
  const end = () => {
    observer.disconnect();
    plot.destroy();
    drawing.remove();
    button.remove();
    holder.classList.remove("visually-hidden");
    holder.tabIndex = 0;
    drawn.delete(figure);
  };
  drawn.set(figure, { plot, end });
}

export function drawAll(root = document) {
  root.querySelectorAll("figure[data-chart]").forEach(draw);
}

const SERIES = 6; // colours in style.css

// The colours are those that the style sheet gives at this moment.
function lookOf(frame, dots, uptime) {
  const colour = (index) => getComputedStyle(dots[index]).color;
  return {
    uptime,
    colour,
    hatch: (index) => hatch(colour(index), getComputedStyle(frame).backgroundColor),
    ink: () => getComputedStyle(frame).color,
    grid: () => getComputedStyle(frame).borderTopColor,
    font: getComputedStyle(frame).fontFamily,
  };
}

function hatch(colour, paper) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const context = tile.getContext("2d");
  context.fillStyle = paper;
  context.fillRect(0, 0, 8, 8);
  context.strokeStyle = colour;
  context.lineWidth = 2.5;
  for (const shift of [-8, 0, 8]) {
    context.moveTo(shift - 1, 9);
    context.lineTo(shift + 9, -1);
  }
  context.stroke();
  return context.createPattern(tile, "repeat");
}

function toggle(figure, drawing, holder) {
  const button = element("button", "chart-toggle");
  button.type = "button";
  button.textContent = "Table";
  const show = (table) => {
    button.setAttribute("aria-pressed", String(table));
    drawing.hidden = table;
    holder.classList.toggle("visually-hidden", !table);
    holder.tabIndex = table ? 0 : -1; // what scrolls is reached by the keyboard, while it is seen
  };
  button.addEventListener("click", () => show(!drawing.hidden));
  show(false);
  figure.prepend(button);
  return button;
}

function holderOf(table, figure) {
  if (table.parentElement !== figure) {
    return table.parentElement;
  }
  const holder = element("div", "scroll");
  table.replaceWith(holder);
  holder.append(table);
  return holder;
}

function entry(name, dot) {
  const item = document.createElement("li");
  item.append(dot, name);
  return item;
}

function element(tag, name) {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  drawn.forEach(({ plot }) => plot.redraw());
});
drawAll();
