// A receiver of the notifier's callbacks, to copy: Node 18 or newer and nothing else.
//
//     NOTIFIER_SECRET='whsec_…' node receiver.mjs
//
// It verifies the bytes as they came, writes the event to a file under its id, and answers; do your own work afterwards.
// NOTIFIER_SECRET may hold several secrets, separated by blanks. What it knows is read back from the file at the start and
// kept in memory, so it is one process; put the same rules into your database once there are many orders.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { appendFileSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const LARGEST_BODY = 1024 * 1024;
const TOLERANCE_S = 300;
const WIDEST_GAP = 1000; // the number is not signed, so it must not fill the memory

/** Says whether one of the secrets signed these bytes, less than five minutes ago. */
function isGenuine(secrets, headers, body) {
  const id = headers['webhook-id'] ?? '';
  const timestamp = headers['webhook-timestamp'] ?? '';
  const entries = (headers['webhook-signature'] ?? '').split(/\s+/).map((entry) => Buffer.from(entry));
  if (!id || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  return secrets.some((secret) => {
    const own = Buffer.from(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
    return entries.some((entry) => entry.length === own.length && timingSafeEqual(entry, own));
  });
}

/** Returns the bytes of `whsec_…` secrets. */
function keysOf(text) {
  const keys = text.split(/\s+/).filter(Boolean).map((each) => Buffer.from(each.replace(/^whsec_/, ''), 'base64'));
  if (!keys.length || keys.some((key) => key.length < 24)) throw new Error('NOTIFIER_SECRET holds no whsec_… secret');
  return keys;
}

/**
 * What came, each event once: a line of JSON for every event, on the disk before the answer.
 *
 * `states` holds the newest snapshot told of each subject. `missing` are numbers that others have overtaken: give them the
 * time of some retries, then ask GET /v1/deliveries?subscription=… what became of them.
 */
class Store {
  #file;
  #seen = new Set();
  #counted = new Set();
  #sequences = new Map();
  states = new Map();

  constructor(path) {
    this.#file = openSync(path, 'a+', 0o600);
    const text = readFileSync(this.#file);
    const whole = text.lastIndexOf('\n') + 1;
    ftruncateSync(this.#file, whole); // a line that a crash cut short was never answered
    for (const line of text.subarray(0, whole).toString().split('\n').filter(Boolean)) this.#remember(JSON.parse(line));
  }

  /** Stores an event, and returns what it was. */
  take(id, body, subscription, sequence) {
    // Several subscriptions may bring one event: each numbers it, and it is taken once.
    const isNew = !this.#seen.has(id);
    if (!isNew && this.#counted.has(`${subscription} ${id}`)) return 'repeated';
    const event = { id, subscription, sequence, ...(isNew ? { ...stateIn(body), body: body.toString() } : {}) };
    const size = fstatSync(this.#file).size;
    try {
      appendFileSync(this.#file, `${JSON.stringify(event)}\n`);
      fsyncSync(this.#file);
    } catch (error) {
      ftruncateSync(this.#file, size);
      throw error;
    }
    const was = this.#remember(event);
    return isNew ? was : 'repeated';
  }

  #remember({ id, subscription, sequence, key, version, snapshot }) {
    this.#seen.add(id);
    this.#counted.add(`${subscription} ${id}`);
    this.#count(subscription, sequence);
    if (key === undefined) return 'taken';
    if (version < (this.states.get(key)?.version ?? 0)) return 'outdated';
    this.states.set(key, { version, snapshot });
    return 'applied';
  }

  // What was sent before this receiver's first callback is not missed.
  #count(subscription, sequence) {
    const known = this.#sequences.get(subscription) ?? { highest: sequence - 1, missing: new Set() };
    known.missing.delete(sequence);
    const first = Math.max(known.highest + 1, sequence - WIDEST_GAP);
    for (let each = first; each < sequence; each += 1) known.missing.add(each);
    known.highest = Math.max(known.highest, sequence);
    this.#sequences.set(subscription, known);
  }

  /** Returns the numbers that others have overtaken, lowest first. */
  missing(subscription) {
    return [...(this.#sequences.get(subscription)?.missing ?? [])].sort((a, b) => a - b);
  }
}

// Events of no order, and bodies of other templates, tell no state.
function stateIn(body) {
  try {
    const { account, order_id, subject, subject_id, order_version, order } = JSON.parse(body).data;
    if (!order) return {};
    return { key: JSON.stringify([account, order_id, subject, subject_id]), version: order_version, snapshot: order };
  } catch {
    return {};
  }
}

// Returns the bytes that came; null when they are too many.
async function bytesOf(request) {
  if (Number(request.headers['content-length'] ?? 0) > LARGEST_BODY) return null;
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > LARGEST_BODY) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Takes one callback and returns the status to answer: refuses what is not genuine, stores, answers. */
async function receive(request, secrets, store) {
  if (request.method !== 'POST') return 405;
  const body = await bytesOf(request);
  if (body === null) return 413;
  const { headers } = request;
  if (!isGenuine(secrets, headers, body)) return 401;
  const [id, subscription] = [headers['webhook-id'], headers['notifier-subscription'] ?? ''];
  if (!/^\d{1,12}$/.test(headers['notifier-sequence'] ?? '')) return 400;
  try {
    const was = store.take(id, body, subscription, Number(headers['notifier-sequence']));
    console.log(was, id, ...store.missing(subscription).map((each) => `missing ${each}`));
    return 204;
  } catch (error) {
    console.log(`failed ${id}: ${error.message}`);
    return 503; // it comes again
  }
}

const secrets = keysOf(process.env.NOTIFIER_SECRET ?? '');
const store = new Store(process.env.RECEIVER_STORE ?? 'receiver.log');
const [host, port] = [process.env.HOST ?? '127.0.0.1', Number(process.env.PORT ?? 8000)];
const server = createServer({ requestTimeout: 15_000 }, (request, response) => {
  receive(request, secrets, store).then(
    (status) => response.writeHead(status).end(),
    () => response.destroy(),
  );
});
server.listen(port, host, () => console.log(`listening on http://${host}:${server.address().port}`));
