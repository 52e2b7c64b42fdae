import type { Message, Publication } from '../../broker/delivery/publication.ts';
import { BrokerError, quoted } from '../../errors.ts';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import type { Qos } from '../../lib/qos.ts';
import { receivedTimeoutMs, recordedBytes, recordedMessages } from '../../limits/server.ts';
import { filterProblem, matchesFilter } from '../../topic.ts';
import { type HeaderValues, headersOf } from './headers.ts';

/** A message that the broker took, as a test looks at it. */
export interface RecordedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The id of the client that published it; empty where it was the broker. */
  readonly clientId: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** What MQTT calls user properties. A name that came several times has all its values. */
  readonly headers: HeaderValues;
  readonly contentType: string | undefined;
  /** Where an answer is expected, and what it is to be known by. */
  readonly replyTo: string | undefined;
  readonly correlation: Uint8Array | undefined;
  readonly expiresAt: Date | undefined;
  /** When the broker took it, by its clock. */
  readonly takenAt: Date;
  /** The payload as text. */
  text(): string;
  /** The payload as JSON. @throws SyntaxError where it is not. */
  json<T = unknown>(): T;
}

/** How long a test waits for messages. */
export interface WaitOptions {
  /** In milliseconds, by the clock of the broker. Default: 5,000. */
  timeoutMs?: number;
}

interface Waiting {
  filter: string;
  count: number;
  resolve(messages: RecordedMessage[]): void;
  timer: ClockTimer;
}

/** Every message that the broker takes, for the assertions of a test. The oldest go where it becomes too many. */
export class Recording {
  readonly #clock: Clock;
  #messages: RecordedMessage[] = [];
  #bytes = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  published(publication: Publication): void {
    const takenAt = new Date(this.#clock.now());
    for (const message of publication.messages()) this.#add(recorded(message, takenAt));
    if (this.#waiting.size > 0) this.#answer();
  }

  /** @throws BrokerError `invalid-filter`. */
  received(filter: string): RecordedMessage[] {
    const problem = filterProblem(filter);
    if (problem !== undefined)
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${problem}`);
    return this.#messages.filter(({ topic }) => matchesFilter(filter, topic));
  }

  /** Resolves with the messages when there are so many. @throws Error where they do not come in time; BrokerError. */
  until(filter: string, count: number, timeoutMs = receivedTimeoutMs): Promise<RecordedMessage[]> {
    const there = this.received(filter);
    if (there.length >= count) return Promise.resolve(there);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(waiting);
        reject(new Error(this.#missing(filter, count, timeoutMs)));
      });
      const waiting = { filter, count, resolve, timer };
      this.#waiting.add(waiting);
    });
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }

  #add(message: RecordedMessage): void {
    this.#messages.push(message);
    this.#bytes += message.payload.length;
    while (this.#messages.length > recordedMessages || this.#bytes > recordedBytes) {
      this.#bytes -= this.#messages.shift()!.payload.length;
    }
  }

  #answer(): void {
    for (const waiting of this.#waiting) {
      const there = this.received(waiting.filter);
      if (there.length < waiting.count) continue;
      this.#waiting.delete(waiting);
      waiting.timer.cancel();
      waiting.resolve(there);
    }
  }

  /** What came instead is what helps to see why. */
  #missing(filter: string, count: number, timeoutMs: number): string {
    const topics = [...new Set(this.#messages.map(({ topic }) => quoted(topic)))];
    const others =
      topics.length === 0 ? 'nothing was published' : `published were ${topics.slice(0, 10).join(', ')}`;
    const came = this.received(filter).length;
    return `${came} of ${count} messages of ${quoted(filter)} came within ${timeoutMs} ms; ${others}`;
  }
}

/** Payloads are copied: they may be small parts of large chunks, and a test keeps them. */
function recorded(message: Message, takenAt: Date): RecordedMessage {
  const { topic, clientId, qos = 0, retain = false, properties = {}, expiresAtMs } = message;
  const payload = new Uint8Array(message.payload);
  return {
    ...{ topic, payload, clientId, qos, retain, takenAt },
    headers: headersOf(properties.userProperties),
    contentType: properties.contentType,
    replyTo: properties.responseTopic,
    correlation: properties.correlationData,
    expiresAt: expiresAtMs === undefined ? undefined : new Date(expiresAtMs),
    text: () => new TextDecoder().decode(payload),
    json: <T>() => JSON.parse(new TextDecoder().decode(payload)) as T,
  };
}
