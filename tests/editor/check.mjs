// Speaks the language server protocol to yaml-language-server as an editor would, and says what it answers.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const project = resolve(process.argv[2]);
const server = spawn(process.execPath, [process.env.SERVER, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map();
const diagnostics = new Map();
let buffer = Buffer.alloc(0);
let last = 0;

const send = (message) => {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};
const notify = (method, params) => send({ method, params });
const request = (method, params) =>
  new Promise((answered) => {
    waiting.set(++last, answered);
    send({ id: last, method, params });
  });

server.stdout.on("data", (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    receive(JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString()));
    buffer = buffer.subarray(end + 4 + length);
  }
});

function receive(message) {
  if (message.method === "textDocument/publishDiagnostics") {
    const { uri } = message.params;
    diagnostics.get(uri)?.(message.params.diagnostics);
  } else if (message.method === "workspace/configuration") {
    const settings = { yaml: { validate: true, completion: true, hover: true, schemaStore: { enable: false } } };
    send({ id: message.id, result: message.params.items.map((item) => settings[item.section] ?? null) });
  } else if (message.id !== undefined && message.method) {
    send({ id: message.id, result: null });
  } else if (waiting.has(message.id)) {
    waiting.get(message.id)(message.result);
    waiting.delete(message.id);
  }
}

let versions = 0;
// Opens `text` as the file of that name and waits for what the server says of it.
async function open(name, text) {
  const uri = pathToFileURL(join(project, "registry", name)).href;
  const said = new Promise((found, refused) => {
    const patience = setTimeout(() => refused(new Error(`${name}: the server said nothing in 20 seconds`)), 20_000);
    diagnostics.set(uri, (list) => (clearTimeout(patience), found(list)));
  });
  notify("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: ++versions, text } });
  return { uri, said: await said };
}
// Closes a file and waits until the server has taken its complaints back, or they would be taken for those of the next.
async function close(uri) {
  const cleared = new Promise((done) => (setTimeout(done, 2_000), diagnostics.set(uri, done)));
  notify("textDocument/didClose", { textDocument: { uri } });
  await cleared;
}

let failures = 0;
function expect(what, holds, found) {
  console.log(`${holds ? "ok  " : "FAIL"} ${what}${holds ? "" : `\n     ${JSON.stringify(found)}`}`);
  failures += holds ? 0 : 1;
}

await request("initialize", {
  processId: process.pid,
  rootUri: pathToFileURL(project).href,
  capabilities: {
    workspace: { configuration: true },
    textDocument: { completion: { completionItem: { snippetSupport: true } }, hover: { contentFormat: ["markdown"] } },
  },
});
notify("initialized", {});

const files = [
  "models.yaml", "rollouts/dev.yaml", "rollouts/production.yaml", "evidence/benchmark-20251101.yaml",
  "evidence/training-data-20251101.yaml",
];
for (const name of files) {
  const { uri, said } = await open(name, readFileSync(join(project, "registry", name), "utf8"));
  expect(`${name}: what is right is not complained of`, said.length === 0, said);
  await close(uri);
}

const mistakes = [
  ["rollouts/dev.yaml", "weight: 50", "wieght: 50", /wieght/],
  ["rollouts/dev.yaml", "weight: 50", "weight: half", /integer/],
  ["rollouts/dev.yaml", "enabled: true", "enabled: maybe", /boolean/],
  ["models.yaml", "score: 8.03", "score: 80.3", /10/],
  ["models.yaml", "review: {by: a lawyer, days: 90}", "review: {by: a lawyer}", /first_outputs/],
  ["models.yaml", "hold: 3d", "hold: three days", /pattern/],
  ["evidence/benchmark-20251101.yaml", "kind: benchmark", "kind: soak", /soak/],
];
for (const [name, before, after, sentence] of mistakes) {
  const text = readFileSync(join(project, "registry", name), "utf8").replace(before, after);
  const line = text.split("\n").findIndex((one) => one.includes(after));
  const { uri, said } = await open(name, text);
  const matching = said.filter((one) => sentence.test(one.message));
  const there = matching.some((one) => one.range.start.line === line) || (matching.length > 0 && after === "kind: soak");
  expect(`${name}: "${after}" is complained of in line ${line + 1}: ${matching[0]?.message ?? ""}`, there, said);
  await close(uri);
}

const started = readFileSync(join(project, "registry/rollouts/dev.yaml"), "utf8") + "  waltz:\n    \n";
const { uri } = await open("rollouts/dev.yaml", started);
const position = { line: started.split("\n").length - 2, character: 4 };
const completed = await request("textDocument/completion", { textDocument: { uri }, position });
const labels = (completed?.items ?? completed ?? []).map((item) => item.label);
const fields = ["candidate", "weight", "since", "baseline"];
expect(`completions of an agent: ${labels.join(", ")}`, fields.every((field) => labels.includes(field)), labels);

const lines = started.split("\n");
const at = lines.findIndex((line) => line.includes("weight:"));
const hover = await request("textDocument/hover", {
  textDocument: { uri }, position: { line: at, character: lines[at].indexOf("weight:") + 2 },
});
const shown = hover?.contents?.value ?? "";
expect("hovering a weight shows its description", /percentage of the agent's users/.test(shown), hover);

server.kill();
console.log(failures ? `${failures} failed` : "all as it should be");
process.exit(failures ? 1 : 0);
