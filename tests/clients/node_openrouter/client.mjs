/** OpenRouter's client for JavaScript at work, as its documentation uses it. */

import { readFile } from "node:fs/promises";
import { extname } from "node:path";

import { OpenRouter } from "@openrouter/sdk";

import { answer, call, events } from "../asked.mjs";

await answer(async (asked) => {
  const client = new OpenRouter({ apiKey: asked.key, serverURL: asked.url, ...asked.client });
  if (!asked.file) {
    const given = asked.security ? [asked.security, asked.options] : [asked.options];
    const value = await call(client, asked.call, ...given);
    if (asked.options.chatRequest?.stream) return events(value, asked.most);
    return value?.result ?? value; // a page holds it beside the way to the next
  }
  const data = await readFile(asked.file, "base64");
  const inputAudio = { data, format: extname(asked.file).slice(1) };
  return call(client, asked.call, { sttRequest: { ...asked.options, inputAudio } });
});
