import { type BatchOptions, buildBatch } from '../../internal/batch/build.ts';
import type { Message } from '../../internal/broker/delivery/publication.ts';
import { headersOf } from '../../internal/live/records.ts';
import { Logs, type LogsOptions, type TopicLog } from '../../internal/log/logs.ts';
import type { LogStore } from '../../internal/store/log-store.ts';
import { TryingStore } from './trying-store.ts';

/** What was logged: the level and the text. */
export class KeptLog {
  readonly lines: string[] = [];
  readonly fields: object[] = [];

  debug(fields: object, message: string): void {
    this.#keep('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#keep('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#keep('error', fields, message);
  }

  #keep(level: string, fields: object, message: string): void {
    this.lines.push(`${level}: ${message}`);
    this.fields.push(fields);
  }
}

/** Logs that are open, on a store that a test can make fail. */
export async function openLogs<Store extends LogStore = TryingStore>(
  options: Partial<LogsOptions> = {},
  store: Store = new TryingStore() as LogStore as Store,
) {
  const log = new KeptLog();
  const logs = new Logs({
    store,
    tailCacheBytes: 1e6,
    retentionEveryMs: 1e9,
    retentionMs: 0,
    retentionBytes: 0,
    logger: log,
    ...options,
  });
  await logs.open();
  return { logs, store, log };
}

/** Appends texts to a log as live messages of its topic, in one batch. */
export function appendTexts(
  topic: TopicLog,
  texts: readonly string[],
  { timestamp = 1000, ...options }: BatchOptions & { timestamp?: number } = {},
): Promise<number> {
  const messages = texts.map((text) => ({
    topic: topic.name.replaceAll('.', '/'),
    payload: Buffer.from(text),
    clientId: 'publisher',
  }));
  return appendMessages(topic, messages, { timestamp, ...options });
}

/** Appends live messages to a log, in one batch. */
export function appendMessages(
  topic: TopicLog,
  messages: readonly Message[],
  { timestamp = 1000, ...options }: BatchOptions & { timestamp?: number } = {},
): Promise<number> {
  const records = messages.map((message) => ({
    timestamp,
    key: null,
    value: message.payload,
    headers: headersOf(message, topic.name),
  }));
  const bytes = buildBatch(records, options);
  return topic.partitions[0].append({ bytes, count: records.length, maxTimestamp: timestamp });
}

/** Ends the turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
