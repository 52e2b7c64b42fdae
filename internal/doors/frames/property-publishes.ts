import type { Access } from '../../access/access.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Origin } from '../../broker/delivery/origin.ts';
import { BrokerError } from '../../errors.ts';
import type { FrameCursor } from '../../protocol/frame/cursor.ts';
import type { Intake } from '../clients/intake.ts';
import type { Run } from '../clients/run.ts';
import { messageOf, readPermitted } from './message-properties.ts';
import type { PublishAnswers } from './publish-answers.ts';
import type { PublishHost } from './publishes.ts';

export interface PropertyPublishesParts {
  broker: Broker;
  access: Access;
  origin: Origin;
  intake: Intake;
  /** Counts what the client publishes. */
  run: Run;
  host: PublishHost;
  /** The properties that the client may send. */
  permitted: ReadonlySet<number>;
  maxMessageBytes: number;
}

/** What one client publishes that is more than topic and payload, or comes again. */
export class PropertyPublishes {
  readonly #parts: PropertyPublishesParts;

  constructor(parts: PropertyPublishesParts) {
    this.#parts = parts;
  }

  /**
   * Publishes the frame under the cursor, which begins at `at`.
   *
   * @throws what {@link PublishHost.refusePublish} throws.
   */
  take(
    cursor: FrameCursor,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    answers: PublishAnswers | undefined,
  ): void {
    const { run, host } = this.#parts;
    run.publish();
    run.published++;
    try {
      this.#publish(cursor, bytes, view, at, answers);
    } catch (error) {
      const topic = bytes.subarray(cursor.topicStart, cursor.topicEnd);
      host.refusePublish(error, topic, cursor.payloadEnd - cursor.payloadStart, answers);
    }
  }

  #publish(
    cursor: FrameCursor,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    answers: PublishAnswers | undefined,
  ): void {
    const { broker, access, origin, intake, permitted, maxMessageBytes } = this.#parts;
    const { type, topicStart, topicEnd, payloadStart, payloadEnd, end } = cursor;
    const entry = broker.topic(view, topicStart, topicEnd);
    access.checkPublish(entry);
    const block = { type, payload: bytes.subarray(payloadStart, payloadEnd) };
    const { properties, payload } = readPermitted(block, permitted);
    if (payload.length > maxMessageBytes) throw tooLarge(payload.length, maxMessageBytes);
    const { topic } = entry;
    const { clientId } = access.identity;
    const message = messageOf({ topic, payload, clientId }, properties, answers?.qos ?? 0, broker.clock);
    const receipt = answers?.unusedReceipt();
    const targets = broker.targetsOf(entry);
    if (answers?.isNextSeen) {
      broker.redeliverToDurable(message, targets, intake, receipt!, answers.numbered);
      answers.published(1, receipt!);
      return;
    }
    broker.count(entry, 1);
    broker.publishMessage(message, {
      ...{ origin, receipt, targets, source: intake, publisher: access.identity },
      numbered: answers?.numbered,
      byteLength: end - at,
    });
    if (receipt !== undefined) answers!.published(1, receipt);
  }
}

function tooLarge(payloadBytes: number, mostBytes: number): BrokerError {
  const sizes = `payload of ${payloadBytes} bytes; at most ${mostBytes} are accepted`;
  return new BrokerError('message-too-large', sizes);
}
