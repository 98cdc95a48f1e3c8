// The options of a request: those that the chosen endpoint has, in the page's address.

const of = (id) => document.getElementById(id);
const TEXTS = ["endpoint", "language", "times", "channels", "keyterms", "prompt"];

export class Options {
  constructor(models, changed) {
    this.models = new Map(models.map((model) => [model.name, model]));
    this.changed = changed;
    const asked = new URLSearchParams(location.search);
    this.listEndpoints(asked.get("endpoint"));
    for (const name of TEXTS.slice(2)) if (asked.has(name)) of(name).value = asked.get(name);
    for (const name of ["times", "channels"]) {
      if (of(name).selectedIndex < 0) of(name).selectedIndex = 0;
    }
    of("translate").checked = asked.get("translate") === "1";
    of("more").open = Boolean(of("keyterms").value || of("prompt").value);
    this.fit(asked.get("language") ?? "");
    of("model").addEventListener("change", () => this.listEndpoints());
    of("ask").addEventListener("change", () => this.note());
  }

  /** The endpoints that may serve a request as it stands. */
  get endpoints() {
    const { endpoints } = this.models.get(of("model").value);
    const chosen = endpoints.filter(({ slug }) => slug === of("endpoint").value);
    return chosen.length ? chosen : endpoints;
  }

  get value() {
    return {
      model: of("model").value,
      ...Object.fromEntries(TEXTS.map((name) => [name, of(name).disabled ? "" : of(name).value.trim()])),
      translate: of("translate").checked && !of("translate").disabled,
    };
  }

  listEndpoints(chosen = "") {
    const { endpoints } = this.models.get(of("model").value);
    const list = endpoints.map(({ slug, name }) => new Option(name, slug));
    if (endpoints.length > 1) list.unshift(new Option(`Whoever is best (${endpoints.length})`, ""));
    else list[0].value = "";
    of("endpoint").replaceChildren(...list);
    of("endpoint").value = chosen || "";
    if (of("endpoint").selectedIndex < 0) of("endpoint").selectedIndex = 0;
  }

  /** List the languages that one of the endpoints knows, by their names. */
  listLanguages(chosen) {
    const names = new Intl.DisplayNames(["en"], { type: "language" });
    const codes = [...new Set(this.endpoints.flatMap(({ languages }) => languages))];
    const detects = this.endpoints.some((each) => each.detects_language);
    const list = codes.map((code) => new Option(names.of(code), code)).sort((one, other) => one.text.localeCompare(other.text));
    of("language").replaceChildren(new Option(detects ? "Let the model detect it" : "Choose one", ""), ...list);
    of("language").value = codes.includes(chosen) ? chosen : "";
    const title = of("model").selectedOptions[0].text;
    of("language-why").textContent = chosen && !codes.includes(chosen)
      ? `${title} does not know the language “${chosen}”, so none is asked for.`
      : detects ? "" : `${title} does not detect the language.`;
  }

  /** Disable what none of the endpoints can do, and say why. */
  fit(language = of("language").value) {
    const able = this.endpoints;
    const title = of("model").selectedOptions[0].text;
    const can = (name) => able.some((each) => each[name]);
    const allow = (id, possible, why) => {
      of(id).disabled = !possible;
      of(`${id}-why`).textContent = possible ? "" : why;
    };
    this.listLanguages(language);
    allow("translate", can("translates"), `${title} writes what is said in its own language alone. A Whisper of many languages translates.`);
    allow("prompt", can("prompt"), `${title} takes no text before the recording.`);
    allow("keyterms", can("vocabulary"), `${title} takes no list of words.`);
  }

  /** Fit the options to each other, and write them into the address. */
  note() {
    this.fit();
    const query = new URLSearchParams();
    const { model, translate, ...texts } = this.value;
    query.set("model", model);
    for (const [name, text] of Object.entries(texts)) {
      if (text && text !== of(name).options?.[0]?.value) query.set(name, text);
    }
    if (translate) query.set("translate", "1");
    history.replaceState(null, "", `?${query}`);
    this.changed();
  }

  /** Choose what a kept work was asked with. */
  choose(options) {
    if (!this.models.has(options.model)) return false;
    of("model").value = options.model;
    this.listEndpoints(options.endpoint);
    this.listLanguages(options.language);
    for (const name of TEXTS.slice(2)) of(name).value = options[name] ?? "";
    for (const name of ["times", "channels"]) if (!of(name).value) of(name).selectedIndex = 0;
    of("translate").checked = options.translate;
    this.note();
    return true;
  }
}
