import type { Channel } from '../../../broker/delivery/channel.ts';
import type { TopicEntry } from '../../../broker/routing/topic-table.ts';
import { BrokerError } from '../../../errors.ts';
import { captureBatchBytes } from '../../../limits/live.ts';
import type { PacketCursor } from '../../../protocol/mqtt/cursor.ts';
import type { Version } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../../protocol/mqtt/properties.ts';
import { PublishFields } from '../../../protocol/mqtt/publish-fields.ts';
import { ACKNOWLEDGED_PUBLISH, PLAIN_PUBLISH } from '../../../protocol/mqtt/publish-runs.ts';
import { countNumberedRepeats, countRepeats } from '../../../protocol/mqtt/repeats.ts';
import type { Intake } from '../../clients/intake.ts';
import type { Run } from '../../clients/run.ts';
import type { Inbox } from './inbox.ts';

const lenientUtf8 = new TextDecoder();

export interface PublishesParts {
  run: Run;
  inbox: Inbox;
  intake: Intake;
  channel: Channel;
  version: Version;
  maxMessageBytes: number;
}

/** What one client publishes: cuts PUBLISHes that say no more than topic and payload into runs, and leaves any other to the inbox. */
export class Publishes {
  readonly #run: Run;
  readonly #inbox: Inbox;
  readonly #intake: Intake;
  readonly #channel: Channel;
  readonly #version: Version;
  readonly #maxMessageBytes: number;
  readonly #fields = new PublishFields();

  constructor({ run, inbox, intake, channel, version, maxMessageBytes }: PublishesParts) {
    this.#run = run;
    this.#inbox = inbox;
    this.#intake = intake;
    this.#channel = channel;
    this.#version = version;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /**
   * Adds a PUBLISH under the cursor with QoS 0 or 1, if it says no more than topic and payload, to the run in hand, and all that
   * follow it with the same topic and size: they need no second look, and a stream of equal messages is the most usual of all. Any
   * other goes the complete way. Returns where the last one ends.
   *
   * @throws MqttError, BrokerError where the connection has to end.
   */
  take(cursor: PacketCursor, bytes: Uint8Array, view: DataView, at: number, limit: number): number {
    const { flags, bodyStart, end } = cursor;
    const fields = this.#fields;
    fields.read(bytes, flags, bodyStart, end, this.#version);
    const payloadBytes = end - fields.payloadStart;
    if (payloadBytes > this.#maxMessageBytes) throw this.#tooLarge(bytes, payloadBytes);
    if (fields.properties === NO_PROPERTIES) {
      if (bytes[at] === PLAIN_PUBLISH) return this.#takePlain(end, bytes, view, at, limit);
      // A large one is answered by itself: a log that refuses it takes the others.
      if (bytes[at] === ACKNOWLEDGED_PUBLISH && payloadBytes < captureBatchBytes) {
        const topic = this.#inbox.topicOfRun(view, bytes, fields);
        if (topic !== undefined) return this.#takeAcknowledged(topic, end, bytes, view, at, limit);
      }
    }
    this.#run.publish();
    this.#inbox.take(view, bytes, fields, end, at);
    this.#intake.noteAnswered(this.#channel);
    return end;
  }

  #takePlain(end: number, bytes: Uint8Array, view: DataView, at: number, limit: number): number {
    const fields = this.#fields;
    const topic = this.#inbox.plainTopic(view, bytes, fields, end);
    if (topic === undefined) return end;
    const { targets } = topic;
    let count = 1;
    let next = end;
    if (targets.groups.length === 0) {
      const size = end - at;
      count += countRepeats(view, next, limit, size, fields.payloadStart - at);
      next += (count - 1) * size;
    }
    this.#inbox.count(topic, count);
    this.#run.add(targets, bytes, at, next, count);
    return next;
  }

  #takeAcknowledged(
    topic: TopicEntry,
    end: number,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    limit: number,
  ): number {
    const { topicEnd, payloadStart } = this.#fields;
    const inbox = this.#inbox;
    const { targets } = topic;
    const size = end - at;
    const idAt = topicEnd - at;
    let count = 1;
    const most = Math.min(inbox.unansweredLeft, Math.floor((limit - at) / size));
    if (targets.groups.length === 0 && most > 1) {
      const last = at + most * size;
      count += countNumberedRepeats(view, end, last, size, { idAt, head: payloadStart - at });
    }
    const next = at + count * size;
    inbox.count(topic, count);
    for (let packet = at; packet < next; packet += size) inbox.owe(view.getUint16(packet + idAt));
    this.#run.add(targets, bytes, at, next, count, inbox);
    // The client is read no further then.
    if (inbox.unansweredLeft <= 0) this.#run.publish();
    return next;
  }

  #tooLarge(bytes: Uint8Array, payloadBytes: number): BrokerError {
    const most = this.#maxMessageBytes;
    const topic = lenientUtf8.decode(bytes.subarray(this.#fields.topicStart, this.#fields.topicEnd));
    return new BrokerError(
      'message-too-large',
      `payload of ${payloadBytes} bytes; at most ${most} are accepted`,
      { topic, bytes: payloadBytes },
    );
  }
}
