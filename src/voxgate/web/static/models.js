/** The search of the list of models, while somebody types. Without it the form is sent as ever. */

const form = document.getElementById("search");
const WAIT_MS = 150;
let timer = 0;
let running = null;

const said = document.createElement("p");
said.className = "visually-hidden";
said.setAttribute("role", "status");
form.after(said);

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => show(address(), "replaceState"), WAIT_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  show(address(), "pushState");
});
addEventListener("popstate", () => location.reload());

/** Return the address of what the form says: what is empty is left out. */
function address() {
  const given = [...new FormData(form)].filter(([name, value]) => value !== "" && !(name === "sort" && value === "newest"));
  const query = new URLSearchParams(given).toString();
  return query ? `/?${query}` : "/";
}

/** Take the list from the page at an address: the server renders it as for a browser without scripts. */
async function show(to, how) {
  running?.abort();
  running = new AbortController();
  const results = document.getElementById("results");
  results.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(to, { headers: { Accept: "text/html" }, signal: running.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.getElementById("results") ?? page.querySelector(".failure");
    if (!found) throw new Error(`The server answered with ${response.status}.`);
    results.replaceChildren(...(found.id === "results" ? found.childNodes : [found]));
    history[how](null, "", to);
    said.className = "visually-hidden";
    said.textContent = document.getElementById("found")?.textContent ?? found.textContent;
  } catch (error) {
    if (error.name === "AbortError") return;
    said.textContent = `The list is the last one: ${error.message}`;
    said.className = "failure";
  }
  results.removeAttribute("aria-busy");
}
