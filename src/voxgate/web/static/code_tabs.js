/**
 * Sections one below the other become tabs: arrow keys go from one to the next, and the browser
 * remembers which one was chosen. A style sheet shows all of them where there are no scripts.
 */

const CHOSEN = "voxgate-code";

for (const group of document.querySelectorAll(".code-tabs")) {
  const list = group.querySelector(".tabs");
  const tabs = [...list.children];
  const panels = [...group.querySelectorAll(":scope > section")];
  list.setAttribute("role", "tablist");
  tabs.forEach((tab, at) => {
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panels[at].id);
    panels[at].setAttribute("role", "tabpanel");
  });

  const choose = (chosen) => {
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === chosen));
      tab.tabIndex = at === chosen ? 0 : -1;
      panels[at].classList.toggle("chosen", at === chosen);
    });
  };
  choose(Math.max(0, panels.findIndex((panel) => panel.id === read())));

  list.addEventListener("click", (event) => {
    const at = tabs.indexOf(event.target);
    if (at < 0) return;
    choose(at);
    write(panels[at].id);
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const chosen = (to + tabs.length) % tabs.length;
    choose(chosen);
    tabs[chosen].focus();
    write(panels[chosen].id);
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
