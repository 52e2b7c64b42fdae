import type { Access } from '../../access/access.ts';
import type { Broker } from '../../broker/broker.ts';
import { lentChunk } from '../../broker/delivery/lent-chunk.ts';
import type { TopicEntry } from '../../broker/routing/topic-table.ts';
import { type FrameCursor, isAt } from '../../protocol/frame/cursor.ts';
import { FrameType, frameSize, writeFrame } from '../../protocol/frame/frame.ts';
import { countRepeats } from '../../protocol/frame/repeats.ts';
import type { Intake } from '../clients/intake.ts';
import type { Run } from '../clients/run.ts';
import type { PublishAnswers } from './publish-answers.ts';

const NO_BYTES = new Uint8Array(0);
const utf8 = new TextEncoder();
/** Room for frames that are written anew with the real client id. */
const REWRITTEN_SLAB_BYTES = 64 * 1024;

/** The connection of a client that publishes. */
export interface PublishHost {
  /**
   * Takes note of a message that the broker refuses, and of the topic that it was for.
   *
   * @throws the error where the connection is to end with it.
   */
  refusePublish(error: unknown, topic: Uint8Array, payloadBytes: number, answers?: PublishAnswers): void;
}

export interface PublishesParts {
  broker: Broker;
  access: Access;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  intake: Intake;
  run: Run;
  host: PublishHost;
}

/** What one client publishes: cuts its PUBLISHes into runs. */
export class Publishes {
  readonly #broker: Broker;
  readonly #access: Access;
  /** In UTF-8. */
  readonly #clientId: Uint8Array;
  readonly #intake: Intake;
  readonly #run: Run;
  readonly #host: PublishHost;
  #rewritten = NO_BYTES;
  #rewrittenEnd = 0;

  constructor({ broker, access, clientId, intake, run, host }: PublishesParts) {
    this.#broker = broker;
    this.#access = access;
    this.#clientId = utf8.encode(clientId);
    this.#intake = intake;
    this.#run = run;
    this.#host = host;
  }

  /**
   * Adds the PUBLISH under the cursor to the run in hand, and all that follow it with the same topic, sender and
   * size: they need no second look, and a stream of equal messages is the most usual of all. Returns where the
   * last one ends.
   *
   * @param answers counts and answers them, where their bits say so.
   * @throws what {@link PublishHost.refusePublish} throws.
   */
  take(
    cursor: FrameCursor,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    limit: number,
    answers?: PublishAnswers,
  ): number {
    const { topicStart, topicEnd, payloadStart, payloadEnd, clientIdStart, end } = cursor;
    const topic = this.#topicAt(view, topicStart, topicEnd, payloadEnd - payloadStart, answers);
    if (topic === undefined) return end;
    if (!isAt(this.#clientId, bytes, clientIdStart, end)) {
      this.#takeRewritten(bytes, topic, payloadStart, payloadEnd, answers);
      return end;
    }
    const { targets } = topic;
    let count = 1;
    let next = end;
    if (targets.groups.length === 0) {
      const size = end - at;
      count += countRepeats(view, next, limit, size, payloadStart - at, payloadEnd - at);
      next += (count - 1) * size;
    }
    this.#broker.count(topic, count);
    if (answers !== undefined) clearBits(bytes, at, next, end - at);
    this.#run.add(targets, bytes, at, next, count, answers);
    return next;
  }

  /** A delivered frame carries the id that its sender gave at CONNECT, whatever it wrote into the message. */
  #takeRewritten(
    bytes: Uint8Array,
    topic: TopicEntry,
    payloadStart: number,
    payloadEnd: number,
    answers: PublishAnswers | undefined,
  ): void {
    const size = frameSize(topic.bytes.length, payloadEnd - payloadStart, this.#clientId.length);
    if (this.#rewritten.length - this.#rewrittenEnd < size) {
      this.#run.publish();
      // A frame without an id may become 6,000 times as long: no more than a slab of them in one turn.
      if (this.#rewrittenEnd > 0) this.#intake.giveWay();
      this.#rewritten = new Uint8Array(Math.max(size, REWRITTEN_SLAB_BYTES));
      this.#rewrittenEnd = 0;
    }
    const start = this.#rewrittenEnd;
    const payload = bytes.subarray(payloadStart, payloadEnd);
    const { publish } = FrameType;
    this.#rewrittenEnd = writeFrame(this.#rewritten, start, publish, topic.bytes, payload, this.#clientId);
    this.#broker.count(topic, 1);
    this.#run.add(topic.targets, this.#rewritten, start, this.#rewrittenEnd, 1, answers);
  }

  /** The topic between `start` and `end`, where this client may publish to it. */
  #topicAt(
    view: DataView,
    start: number,
    end: number,
    payloadBytes: number,
    answers: PublishAnswers | undefined,
  ): TopicEntry | undefined {
    try {
      const topic = this.#broker.topic(view, start, end);
      this.#access.checkPublish(topic);
      return topic;
    } catch (error) {
      lentChunk.keepAll();
      const topic = new Uint8Array(view.buffer, view.byteOffset + start, end - start);
      this.#host.refusePublish(error, topic, payloadBytes, answers);
      return undefined;
    }
  }
}

/** Counted frames that lie one behind the other become plain ones where they lie: nobody else has these bytes yet. */
function clearBits(bytes: Uint8Array, at: number, end: number, frameBytes: number): void {
  for (let frame = at; frame < end; frame += frameBytes) bytes[frame] = FrameType.publish;
}
