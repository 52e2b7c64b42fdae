import type { Access } from '../../../access/access.ts';
import type { Broker } from '../../../broker/broker.ts';
import type { Channel } from '../../../broker/delivery/channel.ts';
import type { Origin } from '../../../broker/delivery/origin.ts';
import { Receipt } from '../../../broker/delivery/receipt.ts';
import { NO_TARGETS } from '../../../broker/routing/targets.ts';
import type { TopicEntry } from '../../../broker/routing/topic-table.ts';
import type { Arrived, Session } from '../../../broker/sessions/session.ts';
import { BrokerError, type RefusedThing } from '../../../errors.ts';
import { copiedRun } from '../../../lib/bytes.ts';
import { mqttReceiveMaximum } from '../../../limits/mqtt.ts';
import type { Fates } from '../../../observe/fates.ts';
import { encodeAnswer, writeAnswer } from '../../../protocol/mqtt/encode.ts';
import { MqttError } from '../../../protocol/mqtt/mqtt-error.ts';
import { PacketType, PUBACK_BYTES, type PublishAnswer, type Version } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../../protocol/mqtt/properties.ts';
import type { PublishFields } from '../../../protocol/mqtt/publish-fields.ts';
import { FIRST_FAILURE, ReasonCode } from '../../../protocol/mqtt/reason-codes.ts';
import type { Intake } from '../../clients/intake.ts';
import { RefusalLog } from '../../clients/refusal-log.ts';
import type { Run, RunPromise } from '../../clients/run.ts';
import type { Answers } from '../outgoing/answers.ts';
import { reasonCodeOf } from '../refusals.ts';
import { messageOf } from './messages.ts';
import { PublishTopics } from './publish-topics.ts';
import { ReleaseWatch } from './release-watch.ts';

const NO_BYTES = new Uint8Array(0);
const FEWEST_OWED_BYTES = 64;

export interface InboxParts {
  broker: Broker;
  fates: Fates;
  access: Access;
  origin: Origin;
  session: Session;
  answers: Answers;
  channel: Channel;
  version: Version;
  /** The connection, which pauses for full subscribers and ends for what breaks the rules. */
  intake: Intake;
  /** Counts what the client publishes. */
  run: Run;
  refuse(reason: BrokerError): void;
}

/** The messages that one client publishes with QoS 1 and 2, and their answers. */
export class Inbox implements RunPromise {
  readonly qos = 1;
  readonly #broker: Broker;
  readonly #fates: Fates;
  #refusals: RefusalLog | undefined;
  readonly #access: Access;
  readonly #origin: Origin;
  readonly #session: Session;
  readonly #answers: Answers;
  readonly #channel: Channel;
  readonly #version: Version;
  readonly #intake: Intake;
  readonly #run: Run;
  readonly #refuse: (reason: BrokerError) => void;
  readonly #topics: PublishTopics;
  /** For a client of version 5 that sends QoS 2. */
  #releases: ReleaseWatch | undefined;
  #isHeldBack = false;
  /** Of the next work, if nobody held it for the last. */
  #receipt = new Receipt();
  /** The answers to the run in hand, and to what is about to be the next one. */
  #owed: Uint8Array = NO_BYTES;
  #owedBytes = 0;

  constructor(parts: InboxParts) {
    this.#broker = parts.broker;
    this.#fates = parts.fates;
    this.#access = parts.access;
    this.#origin = parts.origin;
    this.#session = parts.session;
    this.#answers = parts.answers;
    this.#channel = parts.channel;
    this.#version = parts.version;
    this.#intake = parts.intake;
    this.#run = parts.run;
    this.#refuse = parts.refuse;
    this.#topics = new PublishTopics(parts.broker, parts.access);
  }

  /**
   * The topic of a plain message with its targets; undefined for one that this client may not publish to, which is then
   * lost as QoS 0 allows.
   */
  plainTopic(view: DataView, bytes: Uint8Array, fields: PublishFields, end: number): TopicEntry | undefined {
    try {
      return this.#topics.plain(view, bytes, fields);
    } catch (error) {
      this.#tolerate(error, { bytes: end - fields.payloadStart });
      return undefined;
    }
  }

  /**
   * The topic of a message with QoS 1 and without properties, with its targets, where it may go in a run. It may not where the client
   * is to be told more of it than that it came, or somebody follows it on its way.
   */
  topicOfRun(view: DataView, bytes: Uint8Array, fields: PublishFields): TopicEntry | undefined {
    if (this.#broker.spans.isOn) return undefined;
    try {
      const topic = this.#topics.plain(view, bytes, fields);
      return this.#version === 5 && topic.targets === NO_TARGETS ? undefined : topic;
    } catch {
      // It is said where such a message is taken alone.
      return undefined;
    }
  }

  /** How many more messages of the client may wait for their answer. */
  get unansweredLeft(): number {
    return mqttReceiveMaximum - this.#answers.waiting - this.#owedBytes / PUBACK_BYTES;
  }

  /** Another message of the run in hand is to be answered. */
  owe(packetId: number): void {
    if (this.#owedBytes === this.#owed.length) {
      const more = new Uint8Array(Math.max(this.#owed.length * 2, FEWEST_OWED_BYTES));
      more.set(this.#owed);
      this.#owed = more;
    }
    writeAnswer(this.#owed, this.#owedBytes, PacketType.puback, packetId);
    this.#owedBytes += PUBACK_BYTES;
  }

  /** {@link RunPromise.unusedReceipt}: most messages are kept by nobody, and one receipt goes from one to the next. */
  unusedReceipt(): Receipt {
    if (this.#receipt.isUsed) this.#receipt = new Receipt();
    return this.#receipt;
  }

  /** {@link RunPromise.published} */
  published(count: number, receipt: Receipt): void {
    const bytes = count * PUBACK_BYTES;
    const answers = this.#owed.slice(0, bytes);
    this.#owed.copyWithin(0, bytes, this.#owedBytes);
    this.#owedBytes -= bytes;
    this.#answers.inOrder(
      answers,
      receipt,
      (unsafe) => {
        this.#goOn();
        if (unsafe !== undefined) this.#unsafeRun(answers, unsafe);
      },
      count,
    );
    this.#holdBack();
    this.#intake.noteWaiting(this.#channel);
  }

  #unsafeRun(answers: Uint8Array, reason: BrokerError): void {
    for (let at = 0; at < answers.length; at += PUBACK_BYTES) {
      this.#unsafe(PacketType.puback, (answers[at + 2]! << 8) | answers[at + 3]!, reason);
    }
  }

  /** Counts plain messages that were published to a topic. */
  count(topic: TopicEntry, messages: number): void {
    this.#broker.count(topic, messages);
  }

  /**
   * Takes any PUBLISH.
   *
   * @throws MqttError, BrokerError where the connection has to end.
   */
  take(view: DataView, bytes: Uint8Array, fields: PublishFields, end: number, start: number): void {
    const { qos, packetId, properties } = fields;
    // [MQTT-3.3.4-6]
    if (properties.subscriptionIdentifiers !== undefined) {
      throw new MqttError('protocolError', 'PUBLISH: only a server sends subscription identifiers');
    }
    const known = qos === 2 ? this.#session.received.get(packetId) : undefined;
    if (known !== undefined && known !== 'lost') {
      this.#noteAlias(view, bytes, fields);
      this.#answerAgain(packetId, known);
      return;
    }
    this.#run.published++;
    let reasonCode = ReasonCode.success;
    let problem: string | undefined;
    const receipt = qos > 0 ? this.unusedReceipt() : undefined;
    try {
      const topic = this.#topics.of(view, bytes, fields);
      const targets = this.#broker.targetsOf(topic);
      const message = messageOf(
        fields,
        copiedRun(bytes, fields.payloadStart, end),
        topic.topic,
        this.#access.identity.clientId,
        this.#broker.clock,
      );
      if (known !== undefined) this.#broker.redeliverToDurable(message, targets, this.#intake, receipt!);
      else {
        this.#broker.count(topic, 1);
        this.#broker.publishMessage(message, {
          origin: this.#origin,
          targets,
          source: this.#intake,
          byteLength: end - start,
          receipt,
          publisher: this.#access.identity,
        });
      }
      if (targets === NO_TARGETS) reasonCode = ReasonCode.noMatchingSubscribers;
    } catch (error) {
      const refusal = this.#tolerate(error, { bytes: end - fields.payloadStart });
      reasonCode = reasonCodeOf(refusal, 'puback');
      problem = refusal.message;
    }
    if (receipt === undefined) return;
    if (qos === 2 && reasonCode < FIRST_FAILURE) this.#remember(packetId, receipt);
    else if (known !== undefined) this.#forget(packetId, receipt);
    this.#answer(qos === 1 ? PacketType.puback : PacketType.pubrec, packetId, reasonCode, problem, receipt);
  }

  /** Takes PUBREL: the sender will not send the message again [MQTT-4.3.3-11]. */
  release(packetId: number): void {
    const { received, store } = this.#session;
    this.#releases?.released(packetId);
    const isKnown = received.has(packetId);
    const receipt = this.unusedReceipt();
    // The id may be used again after this: it must not be known to a broker that starts anew.
    if (isKnown) store.deleteReceived(this.#access.identity.clientId, packetId, receipt);
    const reasonCode = isKnown ? ReasonCode.success : ReasonCode.packetIdNotFound;
    const bytes = this.#answers.encode({
      type: PacketType.pubcomp,
      packetId,
      reasonCode,
      properties: NO_PROPERTIES,
    });
    this.#answers.inOrder(bytes, receipt, (problem) => {
      if (problem !== undefined) {
        // It will send PUBREL again.
        this.#refuse(problem);
        return;
      }
      received.delete(packetId);
    });
  }

  /** The connection is gone. */
  close(): void {
    this.#releases?.close();
  }

  /** [MQTT-4.3.3-10] the message is here already, and only the answer is given again. */
  #answerAgain(packetId: number, known: Receipt | 'kept'): void {
    const receipt = new Receipt();
    if (known !== 'kept') {
      // It is still on its way to a log.
      receipt.hold();
      known.whenSettled((problem) => receipt.letGo(problem));
    }
    // The store may have failed on it the last time: the answer waits until it has this, and what was before it.
    this.#session.store.putReceived(this.#access.identity.clientId, packetId, known === 'kept', receipt);
    this.#answer(PacketType.pubrec, packetId, ReasonCode.success, undefined, receipt);
  }

  #remember(packetId: number, receipt: Receipt): void {
    const { received, store } = this.#session;
    const { clientId } = this.#access.identity;
    if (!receipt.isForLog) {
      received.set(packetId, 'kept');
      store.putReceived(clientId, packetId, true, receipt);
      return;
    }
    received.set(packetId, receipt);
    store.putReceived(clientId, packetId, false, receipt);
    receipt.whenSettled(() => {
      if (received.get(packetId) !== receipt) return;
      const arrived: Arrived = receipt.isLost ? 'lost' : 'kept';
      received.set(packetId, arrived);
      // A broker that starts anew need not write it to the log again.
      if (arrived === 'kept') store.putReceived(clientId, packetId, true);
    });
  }

  #forget(packetId: number, receipt?: Receipt): void {
    this.#session.received.delete(packetId);
    this.#session.store.deleteReceived(this.#access.identity.clientId, packetId, receipt);
  }

  /** A message that came again may be the one that names an alias. */
  #noteAlias(view: DataView, bytes: Uint8Array, fields: PublishFields): void {
    if (fields.properties.topicAlias === undefined) return;
    try {
      this.#topics.of(view, bytes, fields);
    } catch (error) {
      this.#tolerate(error);
    }
  }

  /** A message that is refused does not end the connection, unless its bytes break the rules. */
  #tolerate(error: unknown, thing?: RefusedThing): BrokerError {
    if (!(error instanceof BrokerError) || error.code === 'invalid-topic') throw error;
    this.#logRefusal(error, thing);
    return error;
  }

  #logRefusal(refusal: BrokerError, thing?: RefusedThing): void {
    this.#refusals ??= new RefusalLog(this.#fates, this.#access.identity);
    this.#refusals.add(refusal, 'a message was refused', thing);
  }

  #answer(
    type: PublishAnswer['type'],
    packetId: number,
    reasonCode: number,
    problem: string | undefined,
    receipt: Receipt,
  ): void {
    // Before version 5 there is no way to say no, but to be silent or to close (MQTT 3.1.1, section 3.3.5.2).
    const bytes =
      reasonCode === ReasonCode.success || this.#version !== 5
        ? encodeAnswer(type, packetId)
        : this.#answers.encode({ type, packetId, reasonCode, properties: NO_PROPERTIES }, problem);
    if (type === PacketType.pubrec && reasonCode < FIRST_FAILURE && this.#version === 5) {
      // One that nobody holds is used for other work until then.
      const own = receipt.isUsed ? receipt : undefined;
      this.#releases ??= this.#newReleaseWatch();
      this.#releases.received(packetId, () => this.#send(type, packetId, bytes, own));
    } else {
      this.#send(type, packetId, bytes, receipt);
    }
    this.#holdBack();
  }

  #send(
    type: PublishAnswer['type'],
    packetId: number,
    bytes: Uint8Array,
    receipt: Receipt | undefined,
  ): void {
    this.#answers.inOrder(bytes, receipt, (unsafe) => {
      this.#goOn();
      if (unsafe !== undefined) this.#unsafe(type, packetId, unsafe);
    });
  }

  /**
   * A client is not read while so many of its messages wait for an answer, in the middle of a chunk too. So it has never
   * more of QoS 1 open than it may [MQTT-3.3.4-7], however many it sends: what was not read has not come.
   */
  #holdBack(): void {
    if (this.#isHeldBack || this.#answers.waiting < mqttReceiveMaximum) return;
    this.#isHeldBack = true;
    this.#intake.pause();
    this.#intake.giveWay();
  }

  #newReleaseWatch(): ReleaseWatch {
    return new ReleaseWatch({
      isClientWaiting: () => this.#intake.isHeldBack || this.#answers.waiting > 0,
      refuse: this.#refuse,
    });
  }

  #goOn(): void {
    if (!this.#isHeldBack || this.#answers.waiting > mqttReceiveMaximum / 2) return;
    this.#isHeldBack = false;
    this.#intake.resume();
  }

  /** The message of an answer could not be stored. */
  #unsafe(type: PublishAnswer['type'], packetId: number, reason: BrokerError): void {
    if (this.#version !== 5) {
      // It will send the message again; one of QoS 2 must then be known, as its subscribers have it.
      this.#refuse(reason);
      return;
    }
    if (type === PacketType.pubrec) {
      // The id is free again, also for a broker that starts anew.
      this.#forget(packetId);
      this.#releases?.released(packetId);
    }
    this.#logRefusal(reason);
    const answer = { type, packetId, reasonCode: reasonCodeOf(reason, 'puback'), properties: NO_PROPERTIES };
    this.#answers.now(this.#answers.encode(answer, reason.message));
  }
}
