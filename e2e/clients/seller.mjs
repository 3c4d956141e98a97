// A provider on loopback that fails on demand, and counts what it is asked. It sells for play money too.

import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as answers from "./answers.mjs";

// Seller serves one case. requests are the inferences that it was asked for, others all the rest.
export class Seller {
  requests = [];
  others = [];
  #server;
  #act;

  // act gets a request's number, from 0, and gives what is to be done: {status, headers}, {broken}, {late, pace} (milliseconds
  // before an answer, and between its events), or {}: a good answer.
  constructor(act) {
    this.#act = act;
    this.#server = http.createServer((req, res) => {
      this.#serve(req, res).catch((err) => {
        if (!res.destroyed) res.destroy();
        if (err.code !== "ECONNRESET" && err.message !== "aborted") console.error("the seller:", err);
      });
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  // start gives the URL.
  start() {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${this.#server.address().port}`));
    });
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const path = new URL(req.url, "http://seller").pathname;
    const name = req.method === "POST" ? answers.api(path) : undefined;
    if (!name) return this.#other(req, res, path, body);

    const ask = JSON.parse(body);
    const act = this.#act(this.requests.length);
    this.requests.push({ path, stream: ask.stream === true, model: ask.model, at: Date.now() });
    // What is an error event in a stream is an error status elsewhere.
    const status = act.status ?? (act.broken === "error" && !ask.stream ? 529 : undefined);
    if (status) {
      res.writeHead(status, { "Content-Type": "application/json", ...act.headers });
      return res.end(JSON.stringify(answers.error(name, status)));
    }
    if (act.late) await sleep(act.late);
    if (ask.stream) return this.#stream(res, answers.stream(name, ask.model, act.broken), act);

    const answer = Buffer.from(JSON.stringify(answers.json(name, ask.model)));
    res.writeHead(200, { "Content-Type": "application/json", "Content-Length": answer.length });
    if (!act.broken) return res.end(answer);
    res.write(answer.subarray(0, answer.length / 2));
    await sleep(50);
    res.destroy();
  }

  // A stream comes block by block: what is written together might be read together with the break.
  async #stream(res, blocks, { broken, pace = 20 }) {
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    for (const block of blocks) {
      res.write(block);
      await sleep(pace);
    }
    if (broken !== "cut") return res.end();
    await sleep(100);
    res.destroy();
  }

  #other(req, res, path, body) {
    const say = (v, status = 200) => {
      res.writeHead(status, { "Content-Type": "application/json" });
      res.end(JSON.stringify(v));
    };
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    if (path === "/healthz") return say({});
    this.others.push(`${req.method} ${path}`);
    switch (`${req.method} ${path}`) {
      case "GET /v1/models":
        return say({ object: "list", data: [{ id: "large-1", object: "model", created: 1700000000, owned_by: "nobody" }] });
      case "POST /v1/messages/count_tokens":
        return say({ input_tokens: 20 });
      case "POST /purchase/create":
        return say({ orderId: "o_1", amountMicros: JSON.parse(body).amountMicros, currency: "USD", payment: {}, expiresAt: soon });
      case "POST /purchase/complete":
        return say({ accessToken: "token-of-a-purchase", expiresAt: soon, creditMicros: 5_000_000, paymentReference: "p_1" });
      default:
        return say({ error: { message: "not found", type: "invalid_request_error", param: null, code: "not_found" } }, 404);
    }
  }
}
