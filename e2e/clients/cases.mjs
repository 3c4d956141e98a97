// What the provider does in each case, to every request or to the first.

const always = (act) => () => act;
const once = (act) => (n) => (n === 0 ? act : {});
const busy = { status: 429, headers: { "Retry-After": "1" } };

// act is a Seller's; heartbeat is what the gateway is to send while the provider is silent; dead is a provider of which nothing listens. Broken streams need a client that streams.
export const cases = {
  plain: { act: always({}) },
  401: { act: always({ status: 401 }) },
  402: { act: always({ status: 402 }) },
  429: { act: always(busy) },
  "429-once": { act: once(busy) },
  529: { act: always({ status: 529 }) },
  cut: { act: always({ broken: "cut" }) },
  "error-event": { act: always({ broken: "error" }), streams: true },
  slow: { act: always({ late: 1500, pace: 400 }), streams: true, heartbeat: "100ms" },
  dead: { dead: true },
};
