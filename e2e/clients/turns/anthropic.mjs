// One turn with Anthropic's library: messages (a stream) or whole.
import Anthropic from "@anthropic-ai/sdk";
import { turn } from "./turn.mjs";

const client = new Anthropic();
const ask = { model: process.env.TURN_MODEL, max_tokens: 100, messages: [{ role: "user", content: process.env.TURN_PROMPT }] };

await turn({
  async messages(say) {
    for await (const event of client.messages.stream(ask)) {
      if (event.type === "content_block_delta") say(event.delta.text);
    }
  },
  async whole(say) {
    say((await client.messages.create(ask)).content[0].text);
  },
});
