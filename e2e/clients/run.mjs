// Runs real clients against a provider that fails, directly and through the gateway, and compares how often the provider was asked and
// how the client ended. README.md says how to read what it prints.

import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { cases } from "./cases.mjs";
import { clients, model, settle } from "./clients.mjs";
import { compare, quick, slow } from "./expected.mjs";
import { Gateway, build, connect, freePort, memberKey } from "./gateway.mjs";
import { Seller } from "./seller.mjs";

const run = promisify(execFile);
const here = import.meta.dirname;

const seconds = (name, otherwise) => Number(process.env[name] ?? otherwise);
const patience = seconds("PATIENCE", 60); // of one run of a client
const total = seconds("TOTAL", 450); // after which no case is begun
const atOnce = seconds("AT_ONCE", 3);
const began = Date.now();
const since = () => (Date.now() - began) / 1000;

// main gives the process's exit status.
async function main(args) {
  const { jobs, names } = plan(args);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "clients-"));
  const ended = () => process.exit(130);
  process.once("SIGINT", ended).once("SIGTERM", ended);
  process.once("exit", () => {
    for (const child of children) kill(child);
    if (!process.env.KEEP) fs.rmSync(dir, { recursive: true, force: true });
  });
  if (process.env.KEEP) console.log(`everything stays in ${dir}`);
  const caddy = await build(dir);
  const installed = await install(dir, names);
  const trap = await startTrap();

  const tally = { passed: 0, failed: 0, skipped: 0 };
  const say = (result, job, text) => {
    tally[result]++;
    const word = { passed: "ok  ", failed: "FAIL", skipped: "SKIP" }[result];
    console.log(`${word} ${job.client.padEnd(16)} ${job.name.padEnd(12)} ${job.kind.padEnd(8)} ${text}`);
  };
  const queue = [...jobs];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let job; (job = queue.shift()); ) {
      const at = installed[clients[job.client].package];
      if (at.error) {
        say("skipped", job, `NOT RUN: ${at.error}`);
        continue;
      }
      if (since() > total) {
        say("failed", job, `NOT RUN: ${total} s are over`);
        continue;
      }
      try {
        await judge(job, { dir, caddy, at: at.dir, trap }, say);
      } catch (err) {
        say("failed", job, err.stack);
      }
    }
  }));
  trap.server.close();
  for (const [name, { error }] of Object.entries(installed)) {
    if (error) console.log(`\n*** ${name} WAS NOT TESTED, it can't be installed here: ${error}`);
  }
  if (trap.tried.size) console.log(`\nThe clients also wanted (and did not get) ${[...trap.tried].join(", ")}`);
  console.log(`\nafter ${since().toFixed(0)} s:`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed || (tally.skipped && process.env.NEED_CLIENTS) ? 1 : 0;
}

// plan gives what is to be run: all cases of the clients that are named (or of those with that prefix, or one case as client/case), the quick ones
// with CLIENTS=ci, else all. What takes longest comes first.
function plan(args) {
  const all = Object.keys(clients).flatMap((client) =>
    Object.entries(cases)
      .filter(([, c]) => !c.streams || clients[client].streams !== false)
      .flatMap(([name]) => [{ client, name, kind: "account" }, ...(name === "plain" ? [{ client, name, kind: "purchase" }] : [])]),
  );
  const wanted = args.length ? args : process.env.CLIENTS && process.env.CLIENTS !== "ci" ? process.env.CLIENTS.split(/[\s,]+/) : [];
  let jobs = all;
  if (wanted.length && wanted[0] !== "all") {
    const named = (job, word) => {
      const [client, name] = word.split("/");
      return (job.client === client || job.client.startsWith(`${client}-`)) && (!name || job.name === name);
    };
    for (const word of wanted) {
      if (!all.some((job) => named(job, word))) throw new Usage(`no client or case named ${word}; clients: ${Object.keys(clients).join(" ")}; cases: ${Object.keys(cases).join(" ")}`);
    }
    jobs = all.filter((job) => wanted.some((word) => named(job, word)));
  } else if (process.env.CLIENTS === "ci" || (process.env.CI && !process.env.CLIENTS)) {
    jobs = all.filter(quick);
  }
  jobs = [...jobs.filter(slow), ...jobs.filter((job) => !slow(job))];
  return { jobs, names: [...new Set(jobs.map((job) => clients[job.client].package))] };
}

class Usage extends Error {}

// install gives for each package where it is, or why it is not.
async function install(dir, names) {
  const installed = {};
  for (const name of names) {
    const to = path.join(process.env.INSTALLED ?? path.join(dir, "packages"), name);
    installed[name] = { dir: to };
    try {
      fs.cpSync(path.join(here, "packages", name), to, { recursive: true });
      fs.cpSync(path.join(here, "turns"), to, { recursive: true });
      if (!fs.existsSync(path.join(to, "node_modules"))) {
        await run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "--omit=dev"], { cwd: to, timeout: 180_000 });
      }
    } catch (err) {
      installed[name].error = (err.stderr || err.message).trim().split("\n")[0];
    }
  }
  return installed;
}

// startTrap starts a proxy that refuses everybody, and knows whom the clients wanted that are not on loopback.
function startTrap() {
  const tried = new Set();
  const server = http.createServer((req, res) => {
    tried.add(req.url);
    res.writeHead(403).end();
  });
  server.on("connect", (req, socket) => {
    tried.add(req.url);
    socket.on("error", () => {});
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve({ server, tried, url: `http://127.0.0.1:${server.address().port}` })));
}

// judge runs one case both ways and says how it went.
async function judge(job, with_, say) {
  const work = fs.mkdtempSync(path.join(with_.dir, `${job.client}-${job.name}-`));
  const direct = await take(job, with_, path.join(work, "direct"));
  const through = await take(job, with_, path.join(work, "through"), job.kind);
  const { faults, note } = compare(job, direct, through);
  const show = (r) => `${r.requests} asked, exit ${r.exit}, answer ${r.answer}, error ${r.error}, ${r.seconds} s`;
  const lines = [`directly ${show(direct)} | through ${show(through)}, the client got ${count(through.statuses)}`];
  for (const fault of faults) lines.push(`     ${fault}`);
  if (note && (faults.length || process.env.WORDS)) lines.push(`     may differ: ${note}`);
  if (process.env.WORDS) lines.push(`     directly it said: ${direct.words}`, `     through it said:  ${through.words}`);
  say(faults.length ? "failed" : "passed", job, lines.join("\n"));
}

// take has a client take its turn, directly or through a gateway of its own.
async function take(job, { caddy, at, trap }, dir, kind) {
  fs.mkdirSync(dir, { recursive: true });
  const client = clients[job.client];
  const seller = new Seller(cases[job.name].act ?? (() => ({})));
  let url = await seller.start();
  if (cases[job.name].dead) {
    seller.stop();
    url = `http://127.0.0.1:${await freePort()}`;
  }
  const gateway = kind && new Gateway(caddy, path.join(dir, "gateway"), url, kind, cases[job.name].heartbeat);
  try {
    if (gateway) {
      await gateway.start();
      url = gateway.url;
    }
    const home = path.join(dir, "home");
    fs.mkdirSync(home, { recursive: true });
    const env = settle(client, await connect(caddy, client.connect, url, model), home, memberKey);
    const ended = await start(client.command(at), home, env, trap, client.patience ?? patience);
    return {
      ...client.read(ended.stdout, ended.stderr), exit: ended.exit, sign: ended.sign, seconds: ended.seconds,
      requests: seller.requests.length, others: seller.others, statuses: gateway?.statuses() ?? [],
    };
  } finally {
    await gateway?.stop();
    seller.stop();
  }
}

// count tells how often each status came, such as "1x200 3x502".
function count(statuses) {
  const times = new Map();
  for (const status of statuses) times.set(status, (times.get(status) ?? 0) + 1);
  return [...times].map(([status, n]) => `${n}x${status}`).join(" ") || "nothing";
}

const children = new Set();

// kill ends a client and all that it has started, which have a group of their own.
function kill(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // it has gone
  }
}

// start runs a client to its end, or its patience (in seconds) lasts.
function start([program, ...args], home, env, trap, patience) {
  return new Promise((resolve, reject) => {
    const at = Date.now();
    const child = spawn(program, args, {
      cwd: home,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH, LANG: "C.UTF-8", TERM: "dumb", NO_COLOR: "1", HOME: home, TMPDIR: home, CI: "true",
        XDG_CONFIG_HOME: path.join(home, ".config"), XDG_DATA_HOME: path.join(home, ".local/share"), XDG_CACHE_HOME: path.join(home, ".cache"),
        XDG_STATE_HOME: path.join(home, ".local/state"),
        HTTP_PROXY: trap.url, HTTPS_PROXY: trap.url, ALL_PROXY: trap.url, http_proxy: trap.url, https_proxy: trap.url, all_proxy: trap.url,
        NO_PROXY: "127.0.0.1,localhost", no_proxy: "127.0.0.1,localhost",
        TURN_MODEL: model, TURN_PROMPT: "Say it.",
        ...env,
      },
    });
    children.add(child);
    const said = { stdout: "", stderr: "" };
    let sign;
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => {
        said[name] += text;
        if (/error|reconnect|disconnected|retry/i.test(text)) sign ??= (Date.now() - at) / 1000;
      });
    }
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill(child);
    }, patience * 1000);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      kill(child); // what it has left behind
      children.delete(child);
      resolve({ ...said, exit: late ? "out of time" : (code ?? signal), sign, seconds: ((Date.now() - at) / 1000).toFixed(0) });
    });
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (err) {
  console.error(err instanceof Usage ? err.message : err);
  process.exitCode = 2;
}
