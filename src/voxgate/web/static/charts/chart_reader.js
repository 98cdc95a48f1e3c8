// Reading a chart's values, one place at a time: by pointer, or by the keyboard where it has the focus.
//
// The plot is a slider over the rows, so that a screen reader says the values of each.

import { withUnit } from "./chart_table.js";

export function readValues(plot, frame, figures, dots) {
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  frame.append(tip);
  const last = figures.rows.length - 1;
  const set = (attribute, value) => frame.setAttribute(attribute, value);
  frame.tabIndex = 0;
  set("role", "slider");
  set("aria-valuemin", 0);
  set("aria-valuemax", last);
  let place = last;

  const told = (row) => figures.names.map((name, index) => `${name}: ${textOf(row, index, figures)}`).join(", ");
  const title = (row) => (row.partial && !row.name.endsWith("(partial)") ? `${row.name} (partial)` : row.name);

  const say = (at) => {
    place = at;
    set("aria-valuenow", at);
    set("aria-valuetext", `${title(figures.rows[at])}: ${told(figures.rows[at])}`);
  };
  const show = (at) => {
    const row = figures.rows[at];
    const lines = figures.names.map((name, index) => {
      const line = document.createElement("div");
      const value = document.createElement("b");
      value.textContent = textOf(row, index, figures);
      line.append(dots[index].cloneNode(), `${name} `, value);
      return line;
    });
    const head = document.createElement("strong");
    head.textContent = title(row);
    tip.replaceChildren(head, ...lines);
    tip.hidden = false;
    const left = plot.over.offsetLeft + plot.valToPos(plot.data[0][at], "x");
    const beside = left + 12 + tip.offsetWidth > frame.clientWidth ? left - 12 - tip.offsetWidth : left + 12;
    tip.style.left = `${Math.max(0, beside)}px`;
  };
  const go = (at) => {
    const to = Math.min(Math.max(at, 0), last);
    say(to);
    plot.setCursor({ left: plot.valToPos(plot.data[0][to], "x"), top: 0 }, false);
    show(to);
  };
  const leave = () => {
    tip.hidden = true;
    plot.setCursor({ left: -10, top: -10 }, false);
  };

  say(last);
  frame.addEventListener("focus", () => {
    if (frame.matches(":focus-visible")) {
      go(place);
    }
  });
  frame.addEventListener("blur", leave);
  frame.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") {
      leave();
    } else if (to !== undefined) {
      event.preventDefault();
      go(to);
    }
  });
  // uPlot finds the nearest row below the pointer, and none where the pointer has left.
  plot.hooks.setCursor = [() => (plot.cursor.idx == null ? leave() : show(plot.cursor.idx))];
}

function textOf(row, index, figures) {
  return row.values[index] === null ? "no data" : withUnit(row.texts[index], figures.unit);
}
