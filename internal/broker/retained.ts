import { BrokerError, quoted } from '../errors.ts';
import { maxRetainedBytes, maxRetainedMessages } from '../limits.ts';
import type { Counter, Metrics } from '../metrics/metrics.ts';
import { innerFilter } from '../topic.ts';
import { Deadlines } from './deadlines.ts';
import type { Message } from './publication.ts';

/** Where retained messages last. Each call is remembered in the order of the calls. */
export interface RetainedStore {
  putRetained(message: Message): void;
  deleteRetained(topic: string): void;
}

/** The store of a broker that keeps retained messages in memory only. */
export const noRetainedStore: RetainedStore = { putRetained() {}, deleteRetained() {} };

/** A level of topic names. */
interface Level {
  children: Map<string, Level> | undefined;
  message: Message | undefined;
}

/**
 * The last retained message of each topic. Topics form a tree of levels, so that a filter with wildcards finds its
 * messages without looking at the others, however many there are.
 */
export class Retained {
  /** Where changes are written to; set before the first one. */
  store: RetainedStore = noRetainedStore;
  readonly #root: Level = newLevel();
  readonly #expiring = new Deadlines<string>();
  readonly #refused: Counter;
  #count = 0;
  #bytes = 0;

  constructor(metrics: Metrics) {
    this.#refused = metrics.counter('retained_refused_total', 'Messages that could not be retained.');
    metrics.gauge('retained_messages', 'Topics with a retained message.', () => this.#count);
    metrics.gauge('retained_bytes', 'Their names and payloads.', () => this.#bytes);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Puts a message in the place of the one its topic had; one without payload clears it [MQTT-3.3.1-6].
   *
   * @throws BrokerError `too-many-retained`; the topic then keeps what it had.
   */
  set(message: Message): void {
    if (message.payload.length === 0) {
      if (this.#remove(message.topic)) this.store.deleteRetained(message.topic);
      return;
    }
    const before = this.get(message.topic);
    const bytes = this.#bytes + bytesOf(message) - (before === undefined ? 0 : bytesOf(before));
    if ((before === undefined && this.#count >= maxRetainedMessages) || bytes > maxRetainedBytes) {
      this.#refused.value++;
      throw new BrokerError('too-many-retained', `topic ${quoted(message.topic)}: ${this.#count} are held`);
    }
    this.#put(message);
    this.store.putRetained(message);
  }

  /** Takes over a message that the store has already. */
  restore(message: Message): void {
    this.#put(message);
  }

  /** What a topic remembers. */
  get(topic: string): Message | undefined {
    let level: Level | undefined = this.#root;
    for (const name of topic.split('/')) {
      level = level.children?.get(name);
      if (level === undefined) return undefined;
    }
    return level.message;
  }

  /** Every message whose topic matches a well-formed filter, and which has not expired. */
  *find(filter: string, nowMs = Date.now()): Generator<Message> {
    const inner = innerFilter(filter);
    for (const message of /[+#]/.test(inner)
      ? matching(this.#root, inner.split('/'), 0)
      : this.#exactly(inner)) {
      if (message.expiresAtMs === undefined || message.expiresAtMs > nowMs) yield message;
    }
  }

  /** Forgets what has expired. */
  expire(nowMs: number): void {
    for (const topic of this.#expiring.due(nowMs)) {
      const message = this.get(topic);
      if (message?.expiresAtMs === undefined || message.expiresAtMs > nowMs) continue;
      this.#remove(topic);
      this.store.deleteRetained(topic);
    }
  }

  #exactly(topic: string): Message[] {
    const message = this.get(topic);
    return message === undefined ? [] : [message];
  }

  #put(message: Message): void {
    let level = this.#root;
    for (const name of message.topic.split('/')) {
      level.children ??= new Map();
      let child = level.children.get(name);
      if (child === undefined) {
        child = newLevel();
        level.children.set(name, child);
      }
      level = child;
    }
    if (level.message === undefined) this.#count++;
    else this.#bytes -= bytesOf(level.message);
    level.message = message;
    this.#bytes += bytesOf(message);
    if (message.expiresAtMs !== undefined) this.#expiring.add(message.expiresAtMs, message.topic);
  }

  #remove(topic: string): boolean {
    const path = [this.#root];
    const names = topic.split('/');
    for (const name of names) {
      const child = path.at(-1)!.children?.get(name);
      if (child === undefined) return false;
      path.push(child);
    }
    const last = path.at(-1)!;
    if (last.message === undefined) return false;
    this.#count--;
    this.#bytes -= bytesOf(last.message);
    last.message = undefined;
    for (let depth = names.length; depth > 0; depth--) {
      const { children, message } = path[depth]!;
      if (message !== undefined || (children !== undefined && children.size > 0)) break;
      path[depth - 1]!.children!.delete(names[depth - 1]!);
    }
    return true;
  }
}

function* matching(level: Level, wanted: readonly string[], depth: number): Generator<Message> {
  const name = wanted[depth];
  if (name === undefined) {
    if (level.message !== undefined) yield level.message;
  } else if (name === '#') {
    yield* everythingBelow(level, depth === 0);
  } else if (name === '+') {
    for (const [childName, child] of level.children ?? []) {
      if (depth === 0 && childName.startsWith('$')) continue;
      yield* matching(child, wanted, depth + 1);
    }
  } else {
    const child = level.children?.get(name);
    if (child !== undefined) yield* matching(child, wanted, depth + 1);
  }
}

/** A filter's last `#` matches the level above it too. Wildcards at the root skip the broker's own [MQTT-4.7.2-1]. */
function* everythingBelow(top: Level, isRoot: boolean): Generator<Message> {
  if (top.message !== undefined) yield top.message;
  const stack: Iterator<[string, Level]>[] = [entriesOf(top)];
  while (stack.length > 0) {
    const { value, done } = stack.at(-1)!.next();
    if (done) {
      stack.pop();
      continue;
    }
    const [name, level] = value;
    if (isRoot && stack.length === 1 && name.startsWith('$')) continue;
    if (level.message !== undefined) yield level.message;
    if (level.children !== undefined) stack.push(entriesOf(level));
  }
}

function entriesOf({ children }: Level): Iterator<[string, Level]> {
  return (children ?? new Map<string, Level>()).entries();
}

function newLevel(): Level {
  return { children: undefined, message: undefined };
}

/** What a message takes, roughly: the names of levels are shared. */
function bytesOf({ topic, payload, properties }: Message): number {
  return topic.length + payload.length + (properties === undefined ? 0 : propertiesBytes(properties));
}

function propertiesBytes(properties: NonNullable<Message['properties']>): number {
  let bytes = (properties.contentType?.length ?? 0) + (properties.responseTopic?.length ?? 0);
  bytes += properties.correlationData?.length ?? 0;
  for (const [name, value] of properties.userProperties ?? []) bytes += name.length + value.length;
  return bytes;
}
