// The gateway under test: built once, and started anew for each run, so that no run knows what another has seen.

import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, "../..");

export const memberKey = "sk-of-a-member-0000000000000000";
const accountKey = "sk-of-the-account-000000000000";

// build gives the path of a Caddy with the gateway in it. TOKENBUDDY_CADDY names one that is there already.
export async function build(dir) {
  if (process.env.TOKENBUDDY_CADDY) return path.resolve(process.env.TOKENBUDDY_CADDY);
  const caddy = path.join(dir, "caddy");
  await run("go", ["build", "-o", caddy, "./cmd/caddy"], { cwd: root, maxBuffer: 1 << 26 });
  return caddy;
}

// connect gives what `caddy tokenbuddy connect` tells a user of that client to set, for a server at url.
export async function connect(caddy, client, url, model) {
  const { stdout } = await run(caddy, ["tokenbuddy", "connect", client, "--url", url, "--model", model, "--json"], { env: process.env });
  return JSON.parse(stdout).clients[0];
}

// Gateway is one that has the server at sellerURL as its only seller: an own account, or one that is paid ("purchase").
export class Gateway {
  #child;
  #dir;

  constructor(caddy, dir, sellerURL, kind, heartbeat = "off") {
    Object.assign(this, { caddy, sellerURL, kind, heartbeat });
    this.#dir = dir;
  }

  async start() {
    fs.mkdirSync(this.#dir, { recursive: true });
    const port = await freePort();
    const caddyfile = path.join(this.#dir, "Caddyfile");
    fs.writeFileSync(caddyfile, this.#caddyfile(port));
    const log = fs.openSync(path.join(this.#dir, "log"), "w");
    this.#child = spawn(this.caddy, ["run", "--config", caddyfile], {
      stdio: ["ignore", log, log],
      env: { ...process.env, HOME: this.#dir, XDG_DATA_HOME: this.#dir, XDG_CONFIG_HOME: this.#dir },
    });
    fs.closeSync(log);
    this.url = `http://127.0.0.1:${port}`;
    for (let n = 0; n < 200; n++) {
      if (this.#child.exitCode !== null) break;
      const res = await fetch(this.url + "/v1/models", { headers: { Authorization: `Bearer ${memberKey}` } }).catch(() => undefined);
      if (res?.ok) {
        await res.arrayBuffer();
        this.#began = this.#access().length;
        return;
      }
      await sleep(50);
    }
    throw new Error(`the gateway does not start:\n${fs.readFileSync(path.join(this.#dir, "log"), "utf8").slice(-2000)}`);
  }

  // statuses are those of the inferences that the client asked the gateway for.
  statuses() {
    return this.#access().filter((e) => e.request.method === "POST").map((e) => e.status);
  }

  #began = 0;

  #access() {
    const file = path.join(this.#dir, "access");
    return fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l)) : [];
  }

  async stop() {
    if (!this.#child || this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(kill);
  }

  #caddyfile(port) {
    const pay = this.kind === "purchase";
    return `{
	admin off
	auto_https off
	grace_period 1s
}
http://127.0.0.1:${port} {
	bind 127.0.0.1
	log {
		output file ${path.join(this.#dir, "access")}
	}
	tokenbuddy {
		seller only ${this.sellerURL} {
			protocols chat_completions responses messages
			models large-1
			price large-1 1 5
			${pay ? "payment mock" : `api_key ${accountKey}`}
		}
		${pay ? "payment mock" : ""}
		member dev {
			key ${memberKey}
		}
		heartbeat ${this.heartbeat}
		ledger badger ${path.join(this.#dir, "ledger")}
	}
}
`;
  }
}

// freePort gives a port on which nothing listens.
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
