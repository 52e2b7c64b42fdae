import { tombstoneSeconds } from '../limits/cluster.ts';
import type { FsyncPolicy } from '../store/log-store.ts';
import type { SharedChange, SharedListener, SharedTable, SharedTables } from '../store/shared-table.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { makeStream } from './connection.ts';
import { eachLast, follow } from './follower.ts';
import { isWrongSequence, type JetStream, JetStreamError, type StreamMessage } from './jetstream.ts';
import { digestOf } from './meta.ts';

/** Tables that can be closed. */
export interface OpenTables extends SharedTables {
  close(): void;
}

/** Opens the tables of a cluster, which are one stream. @throws StoreError */
export async function openTables(
  jetStream: JetStream,
  cluster: string,
  fsync: FsyncPolicy,
): Promise<OpenTables> {
  const stream = `${cluster}-shared`;
  const prefix = `${cluster}.shared.`;
  await makeStream(
    jetStream,
    { name: stream, subjects: [`${prefix}>`], isLastOnly: true, expires: true },
    fsync,
  );
  const table = (letter: string) => new JetStreamTable(jetStream, stream, `${prefix}${letter}.`);
  const tables = { retained: table('r'), wills: table('w'), access: table('a') };
  const close = () => {
    for (const each of Object.values(tables)) each.close();
  };
  return { ...tables, close };
}

/**
 * A table as the last messages of subjects. A key stands in its message and only its digest in the subject:
 *
 *     0         1           5
 *     +---------+-----------+-----+-------
 *     | HasValue| KeyLength | Key | Value
 *     |    1    |     4     |     |
 *     +---------+-----------+-----+-------
 *
 * Each message names the one before it of its subject. So what was sent and not answered cannot come behind what was
 * sent after it.
 */
export class JetStreamTable implements SharedTable {
  readonly maxBytes: number;
  readonly #jetStream: JetStream;
  readonly #stream: string;
  readonly #prefix: string;
  /** By the subject, the sequence of its last message that is known here. */
  readonly #known = new Map<string, number>();
  #followed = 0;
  #endFollowing: (() => void) | undefined;

  /** @param prefix of its subjects, with the last dot. */
  constructor(jetStream: JetStream, stream: string, prefix: string) {
    this.#jetStream = jetStream;
    this.#stream = stream;
    this.#prefix = prefix;
    this.maxBytes = jetStream.connection.info!.max_payload - HEADER_BYTES;
  }

  async open(listener: SharedListener): Promise<void> {
    const followed = { stream: this.#stream, filter: `${this.#prefix}*`, isHeadersOnly: false };
    const take = (message: StreamMessage) => this.#take(message, listener);
    await eachLast(this.#jetStream, followed, take);
    this.#endFollowing = follow(this.#jetStream, followed, () => this.#followed, take);
  }

  close(): void {
    this.#endFollowing?.();
  }

  async put(key: string, value: Uint8Array | undefined, expiresAtMs?: number): Promise<number> {
    const subject = this.#subjectOf(key);
    let before = this.#known.get(subject) ?? 0;
    for (;;) {
      const sequence = await this.#publish(subject, before, key, value, expiresAtMs);
      if (sequence !== undefined) return sequence;
      before = (await this.#jetStream.last(this.#stream, subject))?.sequence ?? 0;
    }
  }

  swap(key: string, sequence: number, value: Uint8Array | undefined): Promise<number | undefined> {
    return this.#publish(this.#subjectOf(key), sequence, key, value, undefined);
  }

  async get(key: string): Promise<SharedChange | undefined> {
    const message = await this.#jetStream.last(this.#stream, this.#subjectOf(key));
    if (message === undefined) return undefined;
    const { subject, sequence, body } = message;
    try {
      return { ...this.#parse(subject, body), sequence };
    } catch (error) {
      this.#jetStream.noteForeign(subject, (error as Error).message);
      return { key, value: body, sequence };
    }
  }

  /** @returns undefined where another message is the last one of the subject. */
  async #publish(
    subject: string,
    before: number,
    key: string,
    value: Uint8Array | undefined,
    expiresAtMs: number | undefined,
  ): Promise<number | undefined> {
    const body = bodyOf(key, value);
    if (body.length > this.maxBytes)
      throw new StoreError('invalid', `${body.length} bytes are more than NATS takes in one message`);
    const seconds = value === undefined ? tombstoneSeconds : secondsUntil(expiresAtMs);
    const fields: Record<string, string> = { [EXPECTED]: String(before) };
    if (seconds !== undefined) fields['Nats-TTL'] = `${seconds}s`;
    try {
      const sequence = await this.#jetStream.publish(subject, body, fields);
      this.#note(subject, sequence);
      return sequence;
    } catch (error) {
      if (isWrongSequence(error)) return undefined;
      if (!(error instanceof JetStreamError)) throw error;
      throw new StoreUnavailableError('failed', `NATS JetStream refuses it: ${error.message}`, {
        cause: error,
      });
    }
  }

  #take({ subject, sequence, body }: StreamMessage, listener: SharedListener): boolean {
    this.#followed = sequence;
    if (sequence <= (this.#known.get(subject) ?? 0)) return true;
    this.#note(subject, sequence);
    try {
      listener({ ...this.#parse(subject, body), sequence });
    } catch (error) {
      this.#jetStream.noteForeign(subject, (error as Error).message);
    }
    return true;
  }

  #note(subject: string, sequence: number): void {
    this.#known.set(subject, Math.max(sequence, this.#known.get(subject) ?? 0));
  }

  /** @throws Error for what is no entry, or not there. */
  #parse(subject: string, body: Uint8Array): Omit<SharedChange, 'sequence'> {
    const entry = parseBody(body);
    if (this.#subjectOf(entry.key) !== subject) throw new Error('it is the entry of another subject');
    return entry;
  }

  #subjectOf(key: string): string {
    return this.#prefix + digestOf(key);
  }
}

const EXPECTED = 'Nats-Expected-Last-Subject-Sequence';
/** The headers of a message, and what else JetStream counts as payload. */
const HEADER_BYTES = 1_024;
const KEY_AT = 5;

function secondsUntil(expiresAtMs: number | undefined): number | undefined {
  if (expiresAtMs === undefined) return undefined;
  return Math.max(1, Math.ceil((expiresAtMs - Date.now()) / 1_000));
}

function bodyOf(key: string, value: Uint8Array | undefined): Uint8Array {
  const name = Buffer.from(key);
  const head = Buffer.alloc(KEY_AT);
  head[0] = value === undefined ? 0 : 1;
  head.writeUInt32BE(name.length, 1);
  return Buffer.concat([head, name, value ?? new Uint8Array(0)]);
}

/** @throws RangeError for what is no entry. */
function parseBody(bytes: Uint8Array): { key: string; value: Uint8Array | undefined } {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = KEY_AT + body.readUInt32BE(1);
  if (end > body.length) throw new RangeError('a key ends behind its message');
  if (body[0]! > 1) throw new RangeError('an entry does not say whether it has a value');
  const value = body[0] === 0 ? undefined : new Uint8Array(body.subarray(end));
  return { key: body.toString('utf8', KEY_AT, end), value };
}
