// Node's graphql-ws on ws, with graphql.js: node node_server.mjs PORT FOLDER SYNCS. FOLDER has the packages. Each
// subscriber has its own execution, as in any program that follows the README of graphql-ws; states come from memory.
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";

const [controlPort, folder, syncs] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");
const { WebSocketServer } = require("ws");

const FIRST_VERSION = 1000;
const PATIENTS = 100000;

const schema = buildSchema(`
  scalar DateTime
  type Failure { code: String! step: String! message: String! whatToDo: String! retryable: Boolean! }
  type SyncStatus {
    id: ID! organizationId: ID! syncId: ID! mode: String! status: String! step: String! progressPercentage: Int!
    currentStep: String! totalSteps: Int! currentStepNumber: Int! patientsFound: Int! appointmentsFound: Int!
    activePatientsIdentified: Int! activePatientsStored: Int! startedAt: DateTime! completedAt: DateTime
    estimatedCompletion: DateTime resumesAt: DateTime errors: [String!]! failure: Failure lastUpdated: DateTime!
    version: Int!
  }
  type Query { syncStatus(syncId: ID!): SyncStatus }
  type Subscription { syncProgress(syncId: ID!): SyncStatus! }
`);

const startedAt = new Date().toISOString();
const ids = Array.from({ length: Number(syncs) }, (_, number) => {
  const organization = `org_${String(number).padStart(5, "0")}`;
  return [`sync_${organization}_20260101_000000`, organization];
});

function state([syncId, organizationId], version) {
  const read = (version * 100) % PATIENTS;
  return {
    id: syncId, organizationId, syncId, mode: "FULL", status: "FETCHING_PATIENTS", step: "FETCHING_PATIENTS",
    progressPercentage: 10 + Math.floor(read / 5000), currentStep: `${read} of ${PATIENTS} patients`, totalSteps: 8,
    currentStepNumber: 2, patientsFound: read, appointmentsFound: 0, activePatientsIdentified: 0,
    activePatientsStored: 0, startedAt, completedAt: null, estimatedCompletion: null, resumesAt: null, errors: [],
    failure: null, lastUpdated: new Date().toISOString(), version,
  };
}

const followers = new Map(ids.map(([syncId]) => [syncId, new Set()]));
const newest = new Map(ids.map((names) => [names[0], state(names, FIRST_VERSION)]));

// The newest state for each subscriber, never a queue, as in the product.
function follow(syncId) {
  let latest = { syncProgress: newest.get(syncId) };
  let wake = null;
  const notify = (syncProgress) => {
    latest = { syncProgress };
    if (wake !== null) {
      wake();
      wake = null;
    }
  };
  followers.get(syncId).add(notify);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (latest === null) await new Promise((resolve) => (wake = resolve));
      const value = latest;
      latest = null;
      return { value, done: false };
    },
    async return() {
      followers.get(syncId).delete(notify);
      return { value: undefined, done: true };
    },
  };
}

let version = FIRST_VERSION;
let prepared = [];
const made = (of) => ids.map((names) => state(names, of));
const commands = {
  prepare(rounds) {
    prepared = Array.from({ length: Number(rounds) }, (_, number) => made(version + 1 + number));
    return {};
  },
  publish() {
    version += 1;
    const states = prepared.shift() ?? made(version);
    const at = Number(process.hrtime.bigint());
    for (const one of states) {
      newest.set(one.syncId, one);
      for (const notify of followers.get(one.syncId)) notify(one);
    }
    return { version, at };
  },
  usage() {
    const { user, system } = process.cpuUsage();
    return { cpu: (user + system) / 1e6, at: Number(process.hrtime.bigint()), rss: process.memoryUsage.rss() };
  },
};
commands.collect = commands.usage;

const http = createServer();
const server = new WebSocketServer({ server: http, path: "/graphql" });
useServer(
  { schema, roots: { subscription: { syncProgress: ({ syncId }) => follow(syncId) } } },
  server,
  0, // no pings: after a pause Node ends sockets before it reads their pongs
);
http.listen({ port: 0, host: "127.0.0.1", backlog: 512 });
await once(http, "listening");

const control = connect(Number(controlPort), "127.0.0.1");
control.setNoDelay(true);
control.write(`${JSON.stringify({ port: http.address().port, sync_ids: ids.map(([id]) => id), version })}\n`);
control.on("data", (data) => {
  for (const line of data.toString().trim().split("\n")) {
    const [name, ...words] = line.split(" ");
    control.write(`${JSON.stringify(commands[name](...words))}\n`);
  }
});
control.on("error", () => process.exit());
control.on("close", () => process.exit());
