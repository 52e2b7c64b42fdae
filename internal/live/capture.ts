import { BatchBuilder } from '../batch/build.ts';
import { BatchHeader, parseBatchHeader } from '../batch/record-batch.ts';
import type { Receiver, Source } from '../broker/delivery/channel.ts';
import type { Message, Publication } from '../broker/delivery/publication.ts';
import type { Receipt } from '../broker/delivery/receipt.ts';
import { BrokerError, type ErrorCode } from '../errors.ts';
import { HeldSources } from '../lib/held-sources.ts';
import { captureBatchBytes, maxCaptureWaitingBytes } from '../limits/live.ts';
import { type Logs, StoreError, type TopicLog } from '../log/logs.ts';
import { isInternalTopic, liveTopicOf, logNameOf } from '../log/names.ts';
import type { NumberRun } from '../log/numbered-senders.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import { TooManyLogsError } from '../log/too-many-logs.ts';
import { type FateLog, Fates } from '../observe/fates.ts';
import type { Metrics } from '../observe/metrics.ts';
import { inPairs, type OpenSpan, type Spans } from '../observe/spans.ts';
import { headersOf } from './records.ts';

/** The topic config of a log with messages of other topics than the one its name leads to. */
export const MIXED_CONFIG = 'tinymq.mixed';

/** Whether a log has messages of other topics. */
export function isMixed({ configs }: TopicLog): boolean {
  return configs[MIXED_CONFIG] === 'true';
}

export interface CaptureParts {
  logs: Logs;
  metrics: Metrics;
  log: FateLog;
  /** Where it tells what a log did not get. Default: a place of its own. */
  fates?: Fates;
  /** The one log that gets everything; each topic has its own where this is undefined. */
  logName?: string;
  /** Whether a topic is for this capture, where others may have it instead; it always answers the same. */
  isWanted?: (topic: string) => boolean;
  /** Told of messages that belong to a trace. */
  spans?: Spans;
  /** Writes only to logs that there are. */
  createsNone?: true;
}

/**
 * Writes live messages to logs: what comes in one turn becomes one batch for each log, or several where it is much.
 * Publishers wait while too much waits for the disk. Where the store cannot write, live traffic goes on, and what the log
 * lacks is counted; who wants to know of its message is told.
 */
export class Capture implements Receiver {
  readonly isDurable = true;
  readonly isOfNode = true;
  readonly #logs: Logs;
  readonly #log: CaptureParts['log'];
  readonly #logName: string | undefined;
  readonly #isWanted: CaptureParts['isWanted'];
  readonly #createsNone: boolean;
  /** The answer of `isWanted`. */
  readonly #wanted = new Map<string, boolean>();
  readonly #fates: Fates;
  readonly #builders = new Map<string, BatchBuilder>();
  readonly #dirty = new Set<string>();
  /** By log, the numbers of the messages of the turn, where their client numbered them. */
  readonly #numbered = new Map<string, Numbers>();
  /** By log, the receipts of messages of this turn that have one. */
  readonly #receipts = new Map<string, Receipt[]>();
  readonly #spans: Spans | undefined;
  /** By log, the spans of messages of this turn that belong to a trace. */
  readonly #openSpans = new Map<string, OpenSpan[]>();
  readonly #header = new BatchHeader();
  readonly #mixed = new Set<string>();
  readonly #writing = new Set<Promise<void>>();
  readonly #feeders = new HeldSources();
  #waitingBytes = 0;
  #isScheduled = false;
  #isFailing = false;
  /** Whether there is no room for another log, which was told. */
  #isOutOfRoom = false;

  constructor(parts: CaptureParts) {
    this.#logs = parts.logs;
    this.#log = parts.log;
    this.#logName = parts.logName;
    this.#isWanted = parts.isWanted;
    this.#createsNone = parts.createsNone ?? false;
    this.#spans = parts.spans;
    this.#fates = parts.fates ?? new Fates(parts.metrics, parts.log);
  }

  get isFull(): boolean {
    return this.#waitingBytes >= maxCaptureWaitingBytes;
  }

  deliver(publication: Publication): void {
    // The node that sent it has its own capture.
    if (publication.isRouted) return;
    const now = this.#logs.clock.now();
    const { origin, receipt, numbered } = publication;
    const fromLog = origin.kind === 'log' ? origin.name : undefined;
    let number = numbered?.first ?? 0;
    for (const message of publication.messages()) {
      const name = this.#take(message, now, fromLog, numbered?.id, number++);
      if (name === undefined) continue;
      if (receipt !== undefined) this.#hold(receipt, name);
      if (this.#spans?.isOn) this.#beginSpan(this.#spans, message, name);
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#write());
  }

  passesOver(topic: string, fromLog: string): boolean {
    return !this.#wants(topic) || (this.#logName ?? logNameOf(topic)) === fromLog;
  }

  holdBack(feeder: Source): void {
    this.#feeders.hold(feeder);
  }

  /** Resolves when everything that was delivered is durable or lost. */
  async drained(): Promise<void> {
    this.#write();
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing);
  }

  #wants(topic: string): boolean {
    if (this.#isWanted === undefined) return true;
    let isWanted = this.#wanted.get(topic);
    if (isWanted === undefined) {
      if (this.#wanted.size >= MAX_REMEMBERED_TOPICS) this.#wanted.clear();
      isWanted = this.#isWanted(topic);
      this.#wanted.set(topic, isWanted);
    }
    return isWanted;
  }

  /** Takes a message for its log; the name of that, or undefined for a message that is not to be kept here. */
  #take(
    message: Message,
    now: number,
    fromLog: string | undefined,
    sender: bigint | undefined,
    number: number,
  ): string | undefined {
    if (!this.#wants(message.topic)) return undefined;
    const name = this.#logName ?? logNameOf(message.topic);
    if (name === fromLog || isInternalTopic(name)) return undefined;
    const log = this.#logs.topic(name);
    if (log === undefined && this.#createsNone) return undefined;
    if (sender !== undefined && isThere(log, sender, number)) return undefined;
    if (liveTopicOf(name) !== message.topic) this.#mixed.add(name);
    const { payload } = message;
    const builder = this.#builderOf(name, sender, payload.length);
    if (sender !== undefined) this.#note(name, sender, number);
    // A log with many topics is keyed by them, so that compaction treats each as one thing; and what is compacted has keys.
    const isKeyed = this.#logName !== undefined || log?.settings.compacts;
    const key = isKeyed ? Buffer.from(message.topic) : null;
    builder.append(now, key, 0, key?.length ?? 0, payload, 0, payload.length, headersOf(message, name));
    return name;
  }

  /** Has room for one message more. A large one is alone in its batch: a store that refuses it takes the others. */
  #builderOf(name: string, sender: bigint | undefined, bytes: number): BatchBuilder {
    let builder = this.#builders.get(name);
    if (
      builder !== undefined &&
      builder.count > 0 &&
      (Math.max(builder.sizeBytes, bytes) >= captureBatchBytes || this.#isOfAnother(name, sender))
    ) {
      this.#writeBatch(name, builder);
      builder = this.#builders.get(name);
    }
    if (builder === undefined) {
      if (this.#builders.size >= MAX_IDLE_BUILDERS && this.#dirty.size === 0) this.#builders.clear();
      builder = new BatchBuilder();
      this.#builders.set(name, builder);
    }
    this.#dirty.add(name);
    return builder;
  }

  /** Whether a message is not for the batch in hand: one with numbers has those of one client, and no message without. */
  #isOfAnother(name: string, sender: bigint | undefined): boolean {
    if (sender === undefined && this.#numbered.size === 0) return false;
    return this.#numbered.get(name)?.id !== sender;
  }

  #note(name: string, id: bigint, number: number): void {
    const numbers = this.#numbered.get(name);
    if (numbers === undefined) {
      this.#numbered.set(name, { id, runs: [{ first: number, count: 1 }] });
      return;
    }
    const last = numbers.runs.at(-1)!;
    if (last.first + last.count === number) last.count++;
    else numbers.runs.push({ first: number, count: 1 });
  }

  #hold(receipt: Receipt, name: string): void {
    const receipts = this.#receipts.get(name);
    // A batch has one for all its messages.
    if (receipts?.at(-1) === receipt) return;
    receipt.hold();
    receipt.isForLog = true;
    if (receipts === undefined) this.#receipts.set(name, [receipt]);
    else receipts.push(receipt);
  }

  #beginSpan(spans: Spans, { properties }: Message, name: string): void {
    const { userProperties } = properties ?? {};
    if (userProperties === undefined) return;
    const facts = { operation: 'append', destination: name, isAsked: false };
    const span = spans.begin(inPairs(userProperties), facts);
    if (span === undefined) return;
    const open = this.#openSpans.get(name);
    if (open === undefined) this.#openSpans.set(name, [span]);
    else open.push(span);
  }

  #write(): void {
    this.#isScheduled = false;
    for (const name of this.#dirty) this.#writeBatch(name, this.#builders.get(name)!);
    this.#dirty.clear();
  }

  #writeBatch(name: string, builder: BatchBuilder): void {
    const { count } = builder;
    const bytes = builder.finish();
    if (bytes.length > MAX_IDLE_BUILDER_BYTES) this.#builders.delete(name);
    this.#waitingBytes += bytes.length;
    const { maxTimestamp } = parseBatchHeader(bytes, 0, this.#header);
    const receipts = this.#receipts.get(name) ?? NO_RECEIPTS;
    this.#receipts.delete(name);
    const spans = this.#openSpans.get(name) ?? NO_SPANS;
    this.#openSpans.delete(name);
    const numbered = this.#numbered.get(name);
    this.#numbered.delete(name);
    const writing = this.#append(name, { bytes, count, maxTimestamp, numbered })
      .then(
        () => {
          for (const span of spans) span.end();
          this.#worked(receipts);
        },
        (error: Error) => {
          for (const span of spans) span.end(codeOf(error));
          this.#failed(name, { count, bytes: bytes.length }, error, receipts);
        },
      )
      .finally(() => {
        this.#writing.delete(writing);
        this.#waitingBytes -= bytes.length;
        if (!this.isFull) this.#feeders.release();
      });
    this.#writing.add(writing);
  }

  async #append(
    name: string,
    batch: Pick<UnplacedBatch, 'bytes' | 'count' | 'maxTimestamp' | 'numbered'>,
  ): Promise<void> {
    const known = this.#logs.topic(name);
    // It was deleted since the message came, and the message would be gone with it.
    if (known === undefined && this.#createsNone) return;
    const topic = known ?? (await this.#newLog(name));
    // Asked for first and in the same turn: a log with such messages that does not say so would never be replayed.
    if (this.#mixed.has(name)) this.#noteMixed(topic);
    await topic.partitions[0]!.append({ ...batch, isPublished: true });
  }

  async #newLog(name: string): Promise<TopicLog> {
    // A log that was on its way before there was no room says nothing about room now.
    const wasOutOfRoom = this.#isOutOfRoom;
    const topic = await this.#logs.topicOrNew(name);
    if (wasOutOfRoom) this.#isOutOfRoom = false;
    return topic;
  }

  #noteMixed(topic: TopicLog): void {
    this.#mixed.delete(topic.name);
    if (isMixed(topic)) return;
    // A store that refuses this refuses the batch behind it as well, which is told there.
    this.#logs.setConfig(topic, MIXED_CONFIG, 'true').catch(() => this.#mixed.add(topic.name));
  }

  #worked(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) receipt.letGo();
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#log.info({ lost: this.#fates.sum('unkept') }, 'live messages reach the log again');
  }

  #failed(name: string, lost: Lost, error: Error, receipts: readonly Receipt[]): void {
    if (receipts.length > 0) tellLost(receipts, error);
    const code = codeOf(error);
    const line = this.#lineOf(code, name);
    const details = { log: name, error: error.message };
    const { count, bytes } = lost;
    const about = { topic: liveTopicOf(name), bytes, cause: error.message };
    this.#fates.tell({ outcome: 'unkept', code, count, about, details, line });
  }

  #lineOf(code: ErrorCode, name: string): string | undefined {
    if (code === 'too-many-logs') return this.#lineOfNoRoom(name);
    return code === 'message-too-large' ? 'a live message is too large for its log' : this.#lineOfFailure();
  }

  /** Logged once, until the store could write again. */
  #lineOfFailure(): string | undefined {
    if (this.#isFailing) return undefined;
    this.#isFailing = true;
    return 'live messages do not reach the log';
  }

  /** Topics that have a log go on; it is logged once, until there was room again. */
  #lineOfNoRoom(name: string): string | undefined {
    this.#mixed.delete(name);
    if (this.#isOutOfRoom) return undefined;
    this.#isOutOfRoom = true;
    return 'live messages are not kept: there are too many logs';
  }
}

/** The numbers that one client gave to the messages of a batch. */
interface Numbers {
  readonly id: bigint;
  readonly runs: NumberRun[];
}

/** A batch that a log did not get. */
interface Lost {
  readonly count: number;
  readonly bytes: number;
}

/** Whether a log has a message of this number. */
function isThere(log: TopicLog | undefined, id: bigint, number: number): boolean {
  return log !== undefined && number <= log.partitions[0]!.lastNumberOf(id);
}

const NO_RECEIPTS: readonly Receipt[] = [];
const NO_SPANS: readonly OpenSpan[] = [];
/** Builders are kept for the next turn; with this many topics they are made anew. */
const MAX_IDLE_BUILDERS = 1024;
const MAX_REMEMBERED_TOPICS = 10_000;
/** Room for larger batches is given back: many topics may each have one, once. */
const MAX_IDLE_BUILDER_BYTES = 64 * 1024;

function codeOf(error: Error): ErrorCode {
  if (error instanceof TooManyLogsError) return 'too-many-logs';
  const isTooLarge = error instanceof StoreError && error.code === 'batch-too-large';
  return isTooLarge ? 'message-too-large' : 'store-unavailable';
}

function tellLost(receipts: readonly Receipt[], error: Error): void {
  const problem = new BrokerError(codeOf(error), error.message);
  for (const receipt of receipts) {
    receipt.isLost = true;
    receipt.letGo(problem);
  }
}
