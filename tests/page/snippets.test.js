import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import {
  LANGUAGES, javascriptBytes, javascriptString, pythonBytes, pythonString, shellWord, snippet,
} from "../../static/model/snippets.js";

const HOSTILE = [
  "", "hello", "two words", "it's", `"$HOME" \`id\` $(id) \\ !! %s`, "'; exit 3; '", "line\nbreak\ttab\r", "-n",
  "é 😀 日本",  "\u202egpj.exe \u2028\u200b", "\u0001\u001b[31m\u007f", "</script><!--", "#comment", "a\\'b\\", "*?[a]~",
  '"""', "'''\\", "${token}", "{0}%(x)s", "\u3164",
];
const random = Array.from({ length: 60 }, () =>
  String.fromCharCode(...Array.from({ length: 30 }, () => 1 + Math.random() * (Math.random() < 0.7 ? 126 : 0xd700))),
);
const texts = [...HOSTILE, ...random];
const run = (command, ...words) => execFileSync(command, words, { encoding: "utf8", maxBuffer: 2 ** 26 });

test("a real shell gets every text back as one word", () => {
  const script = texts.map((text) => `printf '%s\\0' ${shellWord(text)}`).join("\n");
  assert.deepEqual(run("/bin/sh", "-c", script).split("\0").slice(0, -1), texts);
  assert.equal(shellWord("a\0b"), "'ab'");
});

test("a real Python gets every text and all bytes back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  const values = [...texts, "a\0b"].map(pythonString);
  const script = `import json\nprint(json.dumps([${values.join(", ")}]))\nprint(${pythonBytes(bytes)}.hex())`;
  const [list, hex] = run("python3", "-c", script).trim().split("\n");
  assert.deepEqual(JSON.parse(list), [...texts, "a\0b"]);
  assert.equal(hex, Buffer.from(bytes).toString("hex"));
});

test("JavaScript gets every text and all bytes back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  for (const text of [...texts, "a\0b", "\ud800"]) assert.equal((0, eval)(javascriptString(text)), text);
  assert.deepEqual((0, eval)(javascriptBytes(bytes)), bytes);
});

test("nothing that a reader could not see stays in a literal", () => {
  for (const text of texts) {
    for (const literal of [javascriptString(text), pythonString(text)]) {
      assert.doesNotMatch(literal, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]/u);
    }
  }
});

/** Runs shell snippets, with commands that write down their words and input, which are returned for each snippet. */
function inShell(language, conversations) {
  const folder = mkdtempSync(join(tmpdir(), "snippet"));
  const record = `cat <&3 >"${folder}/$number.input"; printf '%s\\0' "$@" >"${folder}/$number.words"`;
  const stubs = ["wscat", "curl"].map((name) => `${name}() { ${record.replace("<&3", "</dev/null")}; }`);
  stubs.push(`websocat() { ${record.replace("<&3", "")}; }`);
  const snippets = conversations.map((conversation, number) => `number=${number}\n${snippet(language, conversation)}`);
  const script = ["set -e", ...stubs, ...snippets].join("\n");
  const { status, stderr } = spawnSync("/bin/sh", { input: script, env: { ...process.env, TOKEN: "to 'ken" } });
  assert.equal(status, 0, String(stderr));
  const found = conversations.map((_, number) => ({
    words: readFileSync(join(folder, `${number}.words`), "utf8").split("\0").slice(0, -1),
    input: readFileSync(join(folder, `${number}.input`)),
  }));
  rmSync(folder, { recursive: true });
  return found;
}

const url = "wss://host.test:8443/ws?a=1&b='x y'";

test("shell snippets pass URL, message, subprotocols and token to the command as they are", () => {
  const conversations = texts.map((data) => ({ url, protocols: ["chat", "it's"], token: true, data }));
  inShell("wscat", conversations).forEach(({ words }, at) => {
    assert.deepEqual(words.slice(0, 6), ["-c", url, "-s", "chat", "-s", "it's"]);
    assert.deepEqual(words.slice(6, 8), ["-H", "Authorization: Bearer to 'ken"]);
    assert.equal(words.at(-1), `--execute=${texts[at]}`);
  });
  inShell("websocat", conversations).forEach(({ words, input }, at) => {
    assert.equal(input.toString(), texts[at]);
    assert.equal(words.at(-1), url);
    assert.ok(words.includes("--protocol=chat, it's"));
    assert.ok(words.includes("-H=Authorization: Bearer to 'ken"));
    assert.equal(words.includes("--null-terminated"), texts[at].includes("\n"));
  });
  const [{ words: curl }] = inShell("curl", [{ url, protocols: [], token: false, data: "x" }]);
  assert.equal(curl.at(-1), "https://host.test:8443/ws?a=1&b='x y'");
  assert.ok(curl.includes("Upgrade: websocket"));
  assert.ok(!curl.some((word) => word.includes("Authorization")));
});

test("websocat gets binary messages byte for byte", () => {
  const data = Uint8Array.from({ length: 256 }, (_, at) => at);
  const [{ input, words }] = inShell("websocat", [{ url, protocols: [], token: false, data }]);
  assert.deepEqual(Uint8Array.from(input), data);
  assert.ok(words.includes("--binary"));
  assert.match(snippet("wscat", { url, protocols: [], token: false, data }), /^# wscat sends text only/);
});

test("the JavaScript and Python snippets are valid for every kind of message", () => {
  const kinds = [...HOSTILE, "x".repeat(5000), new Uint8Array(3), new Uint8Array(5000)];
  const conversations = kinds.flatMap((data) => [
    { url, protocols: [], token: true, data },
    { url, protocols: ["a", "b\"'"], token: false, data },
  ]);
  const python = conversations.map((conversation) => snippet("python", conversation));
  run("python3", "-c", "import ast, sys; [ast.parse(code) for code in sys.argv[1:]]", ...python);
  const javascript = conversations.map((conversation) => snippet("javascript", conversation));
  const parse = `for (const code of JSON.parse(require("fs").readFileSync(0))) new (require("vm").SourceTextModule)(code)`;
  const options = ["--experimental-vm-modules", "--input-type=commonjs", "--eval", parse];
  const { status, stderr } = spawnSync(process.execPath, options, { input: JSON.stringify(javascript) });
  assert.equal(status, 0, String(stderr));
});

test("a long message is read from a file, and a token is never written down", () => {
  const data = "x".repeat(5000);
  for (const language of Object.keys(LANGUAGES)) {
    const code = snippet(language, { url, protocols: [], token: true, data });
    assert.ok(code.length < 1200, language);
    assert.match(code, language === "curl" ? /TOKEN/ : /message\.txt/);
    assert.match(code, /TOKEN/);
  }
});

test("the JavaScript snippet offers the token beside a subprotocol that the server can select", () => {
  const code = snippet("javascript", { url, protocols: [], token: true, data: "x" });
  let offered;
  class WebSocket {
    constructor(_, protocols) {
      offered = protocols;
    }
  }
  new Function("WebSocket", "process", "btoa", code)(WebSocket, { env: { TOKEN: "a?>" } }, btoa);
  assert.deepEqual(offered, ["wsecho", "base64url.bearer.authorization.k8s.io.YT8-"]);
});
