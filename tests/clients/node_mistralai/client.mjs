/** Mistral's client for JavaScript at work, as its documentation uses it. */

import { openAsBlob } from "node:fs";

import { Mistral } from "@mistralai/mistralai";

import { answer, call, events } from "../asked.mjs";

await answer(async (asked) => {
  const client = new Mistral({ apiKey: asked.key, serverURL: asked.url, ...asked.client });
  const options = { ...asked.options };
  if (asked.file) options.file = await openAsBlob(asked.file);
  const value = await call(client, asked.call, options);
  return asked.call.endsWith(".stream") ? events(value, asked.most) : value;
});
