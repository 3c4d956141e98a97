// What is expected through the gateway, given what the same client does directly, and why.
//
// Without a word here: as often asked, the same exit status, the same answer, the same error.
//
// A row of the table is of the cases and clients that it names (a name stands for those that begin with it), and of those rows that
// fit the later one holds. It says
//
//   requests  the most that the provider may be asked, given how often it was directly, where that may differ
//   error     the error that the client may show, where it may be another one
//   once      that the client may ask the gateway only once, however often it would ask directly
//   why       the reason

// obeys names those that do not ask again when told X-Should-Retry: false. Codex, opencode and the AI SDK take no notice of it.
const obeys = ["openai-", "anthropic-", "claude"];

const attempts = 4; // failover { max_attempts }
const own = 2; // the gateway's own tries at a lone seller that fails: one, and failover { retries }

const table = [
  {
    cases: ["401", "402"],
    requests: (direct) => direct,
    error: /^(said|(.* )?50[23])$/,
    why: "a provider's 401 or 402 is about the operator's account: the client would take it for its own, so it gets a 502 that says not to ask again",
  },
  {
    cases: ["401", "402"], clients: obeys,
    requests: () => 1,
    once: true,
    why: "a provider's 401 or 402 is about the operator's account: the client would take it for its own, so it gets a 502 that says not to ask again",
  },
  {
    cases: ["401", "402"], clients: ["ai-"],
    requests: () => 3,
    why: "the AI SDK asks 3 times at any 5xx",
  },
  {
    cases: ["401", "402"], clients: ["opencode"],
    requests: () => 9,
    why: "opencode asks 3 times for a title and 6 times for the answer at any 5xx",
  },
  {
    cases: ["401", "402"], clients: ["codex"],
    requests: () => 30,
    why: "Codex asks 5 times in each of 6 rounds at any 5xx; of all statuses only at 400 does it not ask again",
  },
  {
    cases: ["429"],
    requests: (direct) => direct * attempts,
    why: "the gateway waits and asks again by itself, for each time that a client asks which does not obey X-Should-Retry",
  },
  {
    cases: ["429"], clients: obeys,
    requests: (direct) => Math.max(direct, attempts),
    once: true,
    why: "the gateway waits and asks again by itself, and then says not to ask again",
  },
  {
    cases: ["529"],
    requests: (direct) => direct * own,
    why: "the gateway asks once more, for each time that a client asks which does not obey X-Should-Retry",
  },
  {
    cases: ["529"], clients: obeys,
    requests: (direct) => Math.max(direct, own),
    once: true,
    why: "the gateway asks once more by itself, and then says not to ask again",
  },
  {
    cases: ["cut"],
    error: /^(?!none)/,
    why: "the gateway says that the answer broke off, in an event of the API, where directly there is but a torn connection",
  },
  {
    cases: ["cut"], clients: ["openai-", "anthropic-"],
    error: /^APIError$/,
    why: "the library reads the gateway's error event, where directly there is but a torn connection",
  },
  {
    cases: ["cut"], clients: ["ai-"],
    error: /^AI_StreamProviderError/,
    why: "the library reads the gateway's error event, where directly there is but a torn connection",
  },
  {
    cases: ["cut"], clients: ["openai-whole", "anthropic-whole"],
    requests: () => own,
    error: / 50[24]$/,
    why: "an answer that is no stream is read whole before any of it is sent: the gateway asks a lone seller once more, and then says not to ask again",
  },
  {
    cases: ["cut", "error-event"], clients: ["claude"],
    requests: (direct) => direct,
    error: /^(?!none)/,
    why: "it asks again without a stream, and there the gateway's X-Should-Retry ends it",
  },
  {
    cases: ["dead"],
    error: /^(said|(.* )?50[234])$/,
    why: "there is a server to speak to: it says 502 or 503 where directly the connection is refused",
  },
];

// A client that is told to wait in vain may go on for longer than it is given here; this one has to say something by then.
const signWithin = 60;

export const expectation = (job) => Object.assign({}, ...table.filter((row) =>
  row.cases.includes(job.name) && (!row.clients || row.clients.some((c) => job.client.startsWith(c)))));

// compare gives what is not as expected (faults), and why something may differ, where it does (note).
export function compare(job, direct, through) {
  const want = expectation(job);
  const faults = [];
  const most = want.requests?.(direct.requests) ?? direct.requests;
  const least = want.requests ? Math.min(1, direct.requests) : direct.requests;
  if (through.requests < least || through.requests > most) {
    faults.push(`the provider was asked ${through.requests} times; ${least === most ? most : `${least} to ${most}`} expected`);
  }
  if (want.once && through.statuses.length !== 1) faults.push(`the client asked the gateway ${through.statuses.length} times; once expected`);
  if (job.client === "codex" && job.name === "dead") {
    // Directly it waits for the network for ever.
    if (through.exit === "out of time" && !(through.sign <= signWithin)) faults.push(`it neither ended nor said anything within ${signWithin} s`);
  } else {
    if (through.exit !== direct.exit) faults.push(`exit ${through.exit}, directly ${direct.exit}`);
    const errorFits = through.error === direct.error || (want.error ? want.error.test(through.error) : through.exit === 0 && through.error === "none");
    if (!errorFits) faults.push(`error ${through.error}, ${want.error ? `expected ${want.error}` : `directly ${direct.error}`}`);
  }
  if (through.answer !== direct.answer) faults.push(`answer ${through.answer}, directly ${direct.answer}`);
  const bought = through.others.filter((r) => r === "POST /purchase/complete").length;
  if (bought !== (job.kind === "purchase" ? 1 : 0)) faults.push(`${bought} tokens were bought`);
  return { faults, note: through.requests !== direct.requests || through.error !== direct.error ? want.why : undefined };
}

// slow are cases that take a minute or more, nearly all of it waiting. They are begun first.
export function slow(job) {
  return (job.name === "dead" && ["codex", "claude", "opencode"].includes(job.client)) ||
    (job.client === "opencode" && !["plain", "429-once", "401", "402"].includes(job.name)) || (job.client === "codex" && job.name === "529");
}

// quick are the cases that CI runs.
export function quick(job) {
  switch (job.client) {
    case "codex":
    case "claude":
      return job.name !== "402";
    case "opencode":
      return ["plain", "401", "cut", "slow"].includes(job.name);
    case "openai-whole":
    case "anthropic-whole":
      return ["plain", "529", "cut"].includes(job.name);
    case "ai-openai":
    case "ai-anthropic":
      return ["plain", "error-event", "slow"].includes(job.name);
    default:
      return true;
  }
}
