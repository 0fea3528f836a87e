import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { Doorway, DoorwayError, DoorwayUnreachable } from "../src/doorway.js";

interface Seen {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

type Answer = (response: ServerResponse, seen: Seen) => void;

const forever = new AbortController().signal;

async function withServer(answer: Answer, use: (doorway: Doorway) => Promise<void>): Promise<void> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    answer(response, { request, body: Buffer.concat(parts) });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use(new Doorway(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const json = (response: ServerResponse, status: number, value: unknown) => {
  const type = status === 200 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "content-type": type }).end(JSON.stringify(value));
};

test("the steps say what the specification says", async () => {
  const seen: string[] = [];
  const answers: Record<string, unknown> = {
    "/api/v1/challenges": { challenge: "cc", node: "n", expires_at: "…" },
    "/api/v1/tokens": { token: "t", expires_at: "…" },
    "/api/v1/sync/proof": { device: "n", signature: "ss" },
    "/api/v1/sync/nudge": { waited: true },
  };
  const answer: Answer = (response, { request, body }) => {
    const { authorization, "content-type": type } = request.headers;
    seen.push(`${request.method} ${request.url} ${authorization ?? "-"} ${type ?? "-"} ${body}`);
    if (request.url === "/api/v1/sync/frames") response.end(Buffer.from([...body].reverse()));
    else json(response, 200, answers[request.url ?? ""]);
  };
  await withServer(answer, async (doorway) => {
    assert.deepEqual(await doorway.challenge("d", forever), { challenge: "cc", node: "n" });
    assert.equal(await doorway.token({ device: "d", challenge: "cc", signature: "s" }, forever), "t");
    const proof = await doorway.proof("t", { challenge: "own", host: "h" }, forever);
    assert.deepEqual(proof, { device: "n", signature: "ss" });
    const frames = await doorway.exchange("t", new TextEncoder().encode("abc") as Uint8Array<ArrayBuffer>, forever);
    assert.deepEqual(frames, new Uint8Array([0x63, 0x62, 0x61]));
    assert.equal(await doorway.nudge("t", forever), true);
  });
  assert.deepEqual(seen, [
    'POST /api/v1/challenges - application/json {"device":"d"}',
    'POST /api/v1/tokens - application/json {"device":"d","challenge":"cc","signature":"s"}',
    'POST /api/v1/sync/proof Bearer t application/json {"challenge":"own","host":"h"}',
    "POST /api/v1/sync/frames Bearer t application/vnd.kith.frames abc",
    "POST /api/v1/sync/nudge Bearer t - ",
  ]);
});

async function fails(answer: Answer, expected: Partial<DoorwayError>): Promise<void> {
  await withServer(answer, (doorway) =>
    assert.rejects(doorway.challenge("d", forever), (error: unknown) => {
      assert.ok(error instanceof DoorwayError, String(error));
      for (const [name, value] of Object.entries(expected)) assert.equal(error[name as keyof DoorwayError], value);
      return true;
    }),
  );
}

test("a problem keeps its status, code and detail", async () => {
  const problem = { code: "not-allowed", detail: "no", status: 403 };
  await fails((response) => json(response, 403, problem), { status: 403, code: "not-allowed", detail: "no" });
});

test("answers that are none are malformed", async () => {
  await fails((response) => response.writeHead(502).end("<h1>Bad gateway</h1>"), { status: 502, code: "malformed" });
  await fails((response) => response.writeHead(500).end("null"), { status: 500, code: "malformed" });
  await fails((response) => response.end("{"), { status: 200, code: "malformed" });
  await fails((response) => json(response, 200, { challenge: 1, node: "n" }), { code: "malformed" });
  await fails((response) => response.writeHead(204).end(), { status: 204, code: "malformed" });
});

test("an answer beyond its bound is not read to its end", async () => {
  await fails((response) => response.end(" ".repeat(70_000)), { code: "malformed" });
});

test("nobody there and an answer that breaks off are unreachable", async () => {
  const gone = new Doorway("http://127.0.0.1:1");
  await assert.rejects(gone.challenge("d", forever), DoorwayUnreachable);
  const breakOff: Answer = (response) => {
    response.writeHead(200, { "content-length": "10" }).write("{", () => response.destroy());
  };
  await withServer(breakOff, (doorway) => assert.rejects(doorway.challenge("d", forever), DoorwayUnreachable));
});

test("a step ends when it is aborted", async () => {
  const aborting = new AbortController();
  await withServer(() => aborting.abort(new Error("enough")), async (doorway) => {
    await assert.rejects(doorway.exchange("t", new Uint8Array([1]), aborting.signal), /enough/);
    await assert.rejects(doorway.nudge("t", aborting.signal), /enough/);
  });
});
