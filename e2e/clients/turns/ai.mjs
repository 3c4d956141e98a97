// One turn with Vercel's AI SDK, through each of its providers.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import { turn } from "./turn.mjs";

const model = process.env.TURN_MODEL;
const options = { name: "gateway", baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY };

const ask = (of) => async (say) => {
  const { fullStream } = streamText({ model: of(), prompt: process.env.TURN_PROMPT, onError() {} });
  for await (const part of fullStream) {
    if (part.type === "text-delta") say(part.text);
    if (part.type === "error") throw part.error;
  }
};

await turn({
  openai: ask(() => createOpenAI(options)(model)),
  anthropic: ask(() => createAnthropic(options)(model)),
  compatible: ask(() => createOpenAICompatible(options)(model)),
});
