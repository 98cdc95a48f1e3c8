// What a reload must not lose: the recording, and the words so far, in this browser's IndexedDB.
//
// One work at a time, of one visitor: what another one kept here is deleted, never shown.

const NAME = "voxgate-playground";

export class KeptWork {
  constructor(database, owner) {
    this.database = database;
    this.owner = owner;
    this.active = false; // whether the work on the page is the kept one
  }

  /** Open what this browser keeps; null where it keeps nothing. */
  static async open(owner) {
    try {
      const opening = indexedDB.open(NAME, 1);
      opening.addEventListener("upgradeneeded", () => {
        opening.result.createObjectStore("work");
        opening.result.createObjectStore("segments");
      });
      return new KeptWork(await settled(opening), owner);
    } catch {
      return null; // a private window, or a browser that keeps nothing: the page says so
    }
  }

  /** Keep a recording and how it is asked. Returns whether there was room. */
  async begin(source, options) {
    try {
      await this.clear();
      const { file, address, name, duration } = source;
      const work = { owner: this.owner, file, address, name, duration, options, state: "sending", names: {}, facts: {} };
      await this.change("work", (store) => store.put(work, "work"));
      this.active = true;
    } catch {
      this.active = false; // no room for it on this device
    }
    return this.active;
  }

  async segment(place, segment) {
    if (this.active) await this.change("segments", (store) => store.put(segment, place));
  }

  /** Change some fields of the work. */
  async note(fields) {
    if (!this.active) return;
    await this.change("work", (store) => {
      const reading = store.get("work");
      reading.addEventListener("success", () => store.put({ ...reading.result, ...fields }, "work"));
    });
  }

  /** The work of this visitor with its segments; null without. */
  async load() {
    const reading = this.database.transaction(["work", "segments"]);
    const asked = [reading.objectStore("work").get("work"), reading.objectStore("segments").getAll()];
    const [work, segments] = await Promise.all(asked.map(settled));
    if (work && work.owner !== this.owner) {
      await this.clear();
      return null;
    }
    this.active = Boolean(work);
    return work ? { ...work, segments } : null;
  }

  async clear() {
    this.active = false;
    await this.change("work", (store) => store.clear());
    await this.change("segments", (store) => store.clear());
  }

  async change(name, act) {
    const transaction = this.database.transaction(name, "readwrite");
    act(transaction.objectStore(name));
    await new Promise((resolve, reject) => {
      transaction.addEventListener("complete", resolve);
      transaction.addEventListener("abort", () => reject(transaction.error));
    });
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
