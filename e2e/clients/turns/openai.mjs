// One turn with OpenAI's library: chat, responses (streams) or whole (a chat that is not streamed).
import OpenAI from "openai";
import { turn } from "./turn.mjs";

const client = new OpenAI();
const model = process.env.TURN_MODEL;
const content = process.env.TURN_PROMPT;

await turn({
  async chat(say) {
    const stream = await client.chat.completions.create({ model, stream: true, messages: [{ role: "user", content }] });
    for await (const chunk of stream) say(chunk.choices[0]?.delta?.content ?? "");
  },
  async responses(say) {
    const stream = await client.responses.create({ model, stream: true, input: content });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") say(event.delta);
      if (event.type === "response.failed") throw Object.assign(new Error(event.response.error.message), { name: "response.failed" });
    }
  },
  async whole(say) {
    const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
    say(answer.choices[0].message.content);
  },
});
