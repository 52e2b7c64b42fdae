import type { Logger } from '../broker/broker.ts';
import type { Source } from '../broker/delivery/channel.ts';
import { messageBytes } from '../broker/delivery/message-bytes.ts';
import type { Message } from '../broker/delivery/publication.ts';
import type { Receipt } from '../broker/delivery/receipt.ts';
import type { Retained, RetainedStore } from '../broker/retained/retained.ts';
import { checkPublishable } from '../broker/routing/publishable-topic.ts';
import { BrokerError, quoted } from '../errors.ts';
import type { EntryChange } from '../store/entry-store.ts';
import type { SharedChange, SharedTable } from '../store/shared-table.ts';
import { KeyKind, retainedKey } from './entry-keys.ts';
import { decodeRetained, encodeRetained } from './session-records.ts';
import { EntriesOfTable } from './table-entries.ts';
import { WriteQueue } from './write-queue.ts';

/**
 * Retained messages that the nodes of a cluster share. What a client of this node publishes holds here at once, and everywhere in the
 * order of the table; while it is on its way there, what others put before it does not take its place.
 */
export class SharedRetained implements RetainedStore {
  readonly #table: SharedTable;
  readonly #queue: WriteQueue;
  /** By the topic, the last change of this node that is on its way. */
  readonly #onTheWay = new Map<string, OwnChange>();
  /** Which change has written some bytes. */
  readonly #changeOf = new WeakMap<Uint8Array, OwnChange>();
  /** By the topic, what others changed meanwhile. */
  readonly #held = new Map<string, SharedMessage>();
  #retained: Retained | undefined;

  constructor(table: SharedTable, logger: Logger) {
    this.#table = table;
    this.#queue = new WriteQueue(new EntriesOfTable((change) => this.#put(change)), logger);
  }

  /** Takes up what the cluster has, and follows it. @throws StoreError */
  async open(retained: Retained): Promise<void> {
    this.#retained = retained;
    await this.#table.open((change) => this.#take(read(change)));
  }

  get isBehind(): boolean {
    return this.#queue.isBehind;
  }

  get isBehindWithRetained(): boolean {
    return this.#queue.isBehindWith(KeyKind.retained);
  }

  holdBack(feeder: Source): void {
    this.#queue.holdBack(feeder);
  }

  /** Only where it may be too large it is measured exactly. */
  checkRetained(message: Message): void {
    const most = this.#table.maxBytes;
    if (messageBytes(message) < most / LARGEST_GROWTH || encodedBytes(message) <= most) return;
    const { topic, payload } = message;
    const detail = `topic ${quoted(topic)}: a retained message of a cluster has at most ${most} bytes`;
    throw new BrokerError('message-too-large', detail, { topic, bytes: payload.length });
  }

  putRetained(message: Message, receipt?: Receipt): void {
    this.#change({ topic: message.topic, message }, receipt);
  }

  deleteRetained(topic: string, receipt?: Receipt): void {
    this.#change({ topic, message: undefined }, receipt);
  }

  /** The table knows how long its values are wanted. */
  expireRetained(): void {}

  /** Resolves when all changes are in the table, or could not be put there. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  close(): void {
    this.#queue.close();
  }

  #change(change: OwnChange, receipt: Receipt | undefined): void {
    this.#onTheWay.set(change.topic, change);
    const bytes = () => {
      const value = change.message === undefined ? new Uint8Array(0) : encodeRetained(change.message);
      this.#changeOf.set(value, change);
      return value;
    };
    this.#queue.put(retainedKey(change.topic), bytes, receipt);
  }

  async #put({ value }: EntryChange): Promise<void> {
    const change = this.#changeOf.get(value!)!;
    const { topic, message } = change;
    const sequence = await this.#table.put(topic, message && value, message?.expiresAtMs);
    // A newer change is on its way.
    if (this.#onTheWay.get(topic) !== change) return;
    this.#onTheWay.delete(topic);
    const held = this.#held.get(topic);
    if (held === undefined) return;
    this.#held.delete(topic);
    if (held.sequence > sequence) this.#apply(held);
  }

  #take(change: SharedMessage): void {
    if (this.#onTheWay.has(change.topic)) this.#held.set(change.topic, change);
    else this.#apply(change);
  }

  #apply({ topic, message }: SharedMessage): void {
    if (message === undefined) this.#retained!.forget(topic);
    else this.#retained!.restore(message);
  }
}

/** What the table says of a topic. */
interface SharedMessage extends OwnChange {
  readonly sequence: number;
}

/** @throws Error where that is no retained message of its topic. */
function read({ key: topic, value, sequence }: SharedChange): SharedMessage {
  const message = value && decodeRetained(value);
  if (message !== undefined && message.topic !== topic) throw new Error('it is a message of another topic');
  checkPublishable(topic);
  return { topic, message, sequence };
}

/** What a client of this node did to a topic. */
interface OwnChange {
  readonly topic: string;
  /** Undefined: it has none any more. */
  readonly message: Message | undefined;
}

/** So much larger a message may get with all that is said of it; a control character of a header is six bytes as JSON. */
const LARGEST_GROWTH = 8;

function encodedBytes(message: Message): number {
  return encodeRetained(message).length + Buffer.byteLength(message.topic);
}
