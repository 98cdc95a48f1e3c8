/**
 * Sections with headings, one below the other, become tabs: arrow keys go from one to the next, and
 * the browser remembers which one was chosen.
 */

const CHOSEN = "voxgate-code";

for (const group of document.querySelectorAll(".code-tabs")) {
  const panels = [...group.children];
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Clients");
  const tabs = panels.map((panel) => {
    const heading = panel.querySelector("h3");
    const tab = document.createElement("button");
    tab.type = "button";
    tab.textContent = heading.textContent;
    tab.id = heading.id;
    tab.setAttribute("role", "tab");
    heading.remove();
    panel.id = `${tab.id}-panel`;
    panel.setAttribute("role", "tabpanel");
    panel.tabIndex = 0;
    tab.setAttribute("aria-controls", panel.id);
    return tab;
  });
  list.append(...tabs);
  group.prepend(list);

  const choose = (chosen) => {
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === chosen));
      tab.tabIndex = at === chosen ? 0 : -1;
      panels[at].hidden = at !== chosen;
    });
  };
  const remembered = tabs.findIndex((tab) => tab.id === read());
  choose(Math.max(remembered, 0));

  list.addEventListener("click", (event) => {
    const at = tabs.indexOf(event.target);
    if (at < 0) return;
    choose(at);
    write(tabs[at].id);
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const chosen = (to + tabs.length) % tabs.length;
    choose(chosen);
    tabs[chosen].focus();
    write(tabs[chosen].id);
  });
}

// A browser may refuse storage: then nothing is remembered.
function read() {
  try {
    return localStorage.getItem(CHOSEN);
  } catch {
    return null;
  }
}

function write(id) {
  try {
    localStorage.setItem(CHOSEN, id);
  } catch {
    return;
  }
}
