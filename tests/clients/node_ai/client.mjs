/**
 * Vercel's AI SDK at work, as its documentation uses it.
 *
 * The call names the provider's package: "openai" or "mistral".
 */

import { readFile } from "node:fs/promises";

import { createMistral } from "@ai-sdk/mistral";
import { createOpenAI } from "@ai-sdk/openai";
import { transcribe } from "ai";

import { answer } from "../asked.mjs";

const providers = { openai: createOpenAI, mistral: createMistral };

await answer(async (asked) => {
  const { model, ...providerOptions } = asked.options;
  const provider = providers[asked.call]({ apiKey: asked.key, baseURL: asked.url });
  const { text, segments, words, language, durationInSeconds, warnings } = await transcribe({
    model: provider.transcription(model),
    audio: await readFile(asked.file),
    providerOptions: { [asked.call]: providerOptions },
    ...asked.client,
  });
  return { text, segments, words, language, durationInSeconds, warnings };
});
