// What a provider says, in the words of each API: good answers, errors, and streams that break.

// whole is the text of a good answer; half is what a stream has said when it breaks. Neither stands in the prompt.
export const whole = "all is well 4711";
export const half = "half of it 1147";

// api gives the name of the API that a path belongs to, or undefined.
export function api(path) {
  return { "/v1/chat/completions": "chat", "/v1/responses": "responses", "/v1/messages": "messages" }[path];
}

const usage = {
  chat: { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 },
  responses: {
    input_tokens: 20, input_tokens_details: { cached_tokens: 0 }, output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 25,
  },
  messages: { input_tokens: 20, output_tokens: 5 },
};

// json is an answer that is not a stream.
export function json(name, model) {
  switch (name) {
    case "chat":
      return {
        id: "chatcmpl-1", object: "chat.completion", created: 1700000000, model,
        choices: [{ index: 0, message: { role: "assistant", content: whole }, finish_reason: "stop" }], usage: usage.chat,
      };
    case "responses":
      return response(model, "completed", [message(whole)]);
    case "messages":
      return {
        id: "msg_1", type: "message", role: "assistant", model, content: [{ type: "text", text: whole }],
        stop_reason: "end_turn", stop_sequence: null, usage: usage.messages,
      };
  }
}

// error is the body of an error status, in the words that the API's own maker has for it.
export function error(name, status) {
  const [openai, code, anthropic, words] = {
    401: ["invalid_request_error", "invalid_api_key", "authentication_error", "Incorrect API key provided"],
    402: ["billing_error", "payment_required", "billing_error", "Payment is required"],
    429: ["requests", "rate_limit_exceeded", "rate_limit_error", "Rate limit reached"],
    529: ["server_error", "overloaded", "overloaded_error", "Overloaded"],
  }[status];
  return name === "messages"
    ? { type: "error", error: { type: anthropic, message: words }, request_id: "req_1" }
    : { error: { message: words, type: openai, param: null, code } };
}

// stream is a list of blocks. break: undefined, "cut" (ends in the middle) or "error" (says an error event, and ends).
export function stream(name, model, broken) {
  const text = broken ? half : whole;
  const words = text.match(/\S+\s*/g);
  switch (name) {
    case "chat": {
      const chunk = (delta, finish_reason = null, more = {}) =>
        data({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1700000000, model, choices: [{ index: 0, delta, finish_reason }], ...more });
      const blocks = [chunk({ role: "assistant", content: "" }), ...words.map((content) => chunk({ content }))];
      if (broken === "cut") return blocks;
      if (broken === "error") {
        return [...blocks, data({ error: { message: "The server had an error while processing your request", type: "server_error", param: null, code: "server_error" } })];
      }
      return [...blocks, chunk({}, "stop"), data({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1700000000, model, choices: [], usage: usage.chat }), "data: [DONE]\n\n"];
    }
    case "responses": {
      let sequence_number = 0;
      const event = (type, more) => named(type, { type, sequence_number: sequence_number++, ...more });
      const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
      const blocks = [
        event("response.created", { response: response(model, "in_progress", []) }),
        event("response.in_progress", { response: response(model, "in_progress", []) }),
        event("response.output_item.added", { output_index: 0, item: { ...message(""), status: "in_progress", content: [] } }),
        event("response.content_part.added", { ...place, part: { type: "output_text", text: "", annotations: [], logprobs: [] } }),
        ...words.map((delta) => event("response.output_text.delta", { ...place, delta, logprobs: [] })),
      ];
      if (broken === "cut") return blocks;
      if (broken === "error") {
        const failed = { ...response(model, "failed", []), usage: null, error: { code: "server_error", message: "The server had an error while processing your request" } };
        return [...blocks, event("response.failed", { response: failed })];
      }
      return [
        ...blocks,
        event("response.output_text.done", { ...place, text, logprobs: [] }),
        event("response.content_part.done", { ...place, part: { type: "output_text", text, annotations: [], logprobs: [] } }),
        event("response.output_item.done", { output_index: 0, item: message(text) }),
        event("response.completed", { response: response(model, "completed", [message(text)]) }),
      ];
    }
    case "messages": {
      const event = (type, more) => named(type, { type, ...more });
      const blocks = [
        event("message_start", { message: { ...json(name, model), content: [], stop_reason: null, usage: { input_tokens: 20, output_tokens: 1 } } }),
        event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
        event("ping", {}),
        ...words.map((text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } })),
      ];
      if (broken === "cut") return blocks;
      if (broken === "error") return [...blocks, event("error", { error: { type: "overloaded_error", message: "Overloaded" } })];
      return [
        ...blocks,
        event("content_block_stop", { index: 0 }),
        event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 5 } }),
        event("message_stop", {}),
      ];
    }
  }
}

const data = (v) => `data: ${JSON.stringify(v)}\n\n`;
const named = (type, v) => `event: ${type}\ndata: ${JSON.stringify(v)}\n\n`;

function message(text) {
  return { id: "msg_1", type: "message", status: "completed", role: "assistant", content: [{ type: "output_text", text, annotations: [], logprobs: [] }] };
}

function response(model, status, output) {
  return {
    id: "resp_1", object: "response", created_at: 1700000000, status, background: false, error: null, incomplete_details: null, instructions: null,
    max_output_tokens: null, model, output, parallel_tool_calls: true, previous_response_id: null, reasoning: { effort: null, summary: null },
    store: false, temperature: 1, text: { format: { type: "text" } }, tool_choice: "auto", tools: [], top_p: 1, truncation: "disabled",
    usage: status === "completed" ? usage.responses : null, metadata: {},
  };
}
