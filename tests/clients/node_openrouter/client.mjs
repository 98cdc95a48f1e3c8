/** OpenRouter's client for JavaScript at work, as its documentation uses it. */

import { readFile } from "node:fs/promises";
import { extname } from "node:path";

import { OpenRouter } from "@openrouter/sdk";

import { answer, call } from "../asked.mjs";

await answer(async (asked) => {
  const client = new OpenRouter({ apiKey: asked.key, serverURL: asked.url, ...asked.client });
  if (!asked.file) return call(client, asked.call, asked.options);
  const data = await readFile(asked.file, "base64");
  const inputAudio = { data, format: extname(asked.file).slice(1) };
  return call(client, asked.call, { sttRequest: { ...asked.options, inputAudio } });
});
