// What a reload must not lose: the recording, and the words so far, in this browser's IndexedDB.
//
// One work at a time, of one visitor: what another one kept here is deleted, never shown. Of two
// pages that are open the last one keeps its work, and the other one stops.

const NAME = "voxgate-playground";

export class KeptWork {
  constructor(database, owner) {
    this.database = database;
    this.owner = owner;
    this.id = null; // of the work on the page, while that is the kept one
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
      const id = `${Date.now()} ${Math.random()}`;
      const kept = { id, owner: this.owner, file, address, name, duration, options, state: "sending", names: {}, facts: {} };
      await this.change((work) => work.put(kept, "work"));
      this.id = id;
    } catch {
      this.id = null; // no room for it on this device
    }
    return this.id !== null;
  }

  segment(place, segment) {
    return this.changeOwn((work, segments) => segments.put(segment, [this.id, place]));
  }

  /** Change some fields of the work. */
  note(fields) {
    return this.changeOwn((work, segments, kept) => work.put({ ...kept, ...fields }, "work"));
  }

  /** The work of this visitor with its segments; null without. */
  async load() {
    const reading = this.database.transaction(["work", "segments"]);
    const work = await settled(reading.objectStore("work").get("work"));
    if (!work) return null;
    if (work.owner !== this.owner) {
      await this.clear();
      return null;
    }
    this.id = work.id;
    const own = IDBKeyRange.bound([work.id], [work.id, []]);
    return { ...work, segments: await settled(reading.objectStore("segments").getAll(own)) };
  }

  async clear() {
    this.id = null;
    await this.change((work, segments) => {
      work.clear();
      segments.clear();
    });
  }

  /** Change the work of this page, unless another page keeps one by now; say whether. */
  async changeOwn(act) {
    if (this.id === null) return false;
    await this.change((work, segments) => {
      const reading = work.get("work");
      reading.addEventListener("success", () => {
        if (reading.result?.id === this.id) act(work, segments, reading.result);
        else this.id = null;
      });
    });
    return this.id !== null;
  }

  async change(act) {
    const transaction = this.database.transaction(["work", "segments"], "readwrite");
    act(transaction.objectStore("work"), transaction.objectStore("segments"));
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
