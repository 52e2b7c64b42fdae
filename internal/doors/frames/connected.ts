import { isUtf8 } from 'node:buffer';
import type { Access } from '../../access/access.ts';
import type { Client, ClientHost } from '../../broker/client.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import type { Numbering } from '../../broker/sessions/numbering.ts';
import type { Session } from '../../broker/sessions/session.ts';
import type { Will } from '../../broker/sessions/will.ts';
import { BrokerError } from '../../errors.ts';
import { frameWindow } from '../../limits/doors.ts';
import { type Credit, parseCredit } from '../../protocol/frame/acknowledgements.ts';
import type { FrameCursor } from '../../protocol/frame/cursor.ts';
import { formatExtensions } from '../../protocol/frame/extensions.ts';
import {
  encodeFrame,
  type Frame,
  FrameBit,
  FrameError,
  FrameType,
  isKnownType,
  RESERVED_TYPE_BITS,
} from '../../protocol/frame/frame.ts';
import { formatOfferAnswer } from '../../protocol/frame/offer.ts';
import type { ClientServices } from '../clients/client-door.ts';
import type { Intake } from '../clients/intake.ts';
import { checkMayKeep, openSession, type WantedSession } from '../clients/kept-session.ts';
import { OrderedAnswers } from '../clients/ordered-answers.ts';
import { RefusalLog } from '../clients/refusal-log.ts';
import { Run } from '../clients/run.ts';
import { type Agreement, willOf } from './agreement.ts';
import { Deliveries } from './deliveries.ts';
import { encodingFor, frameEncoding } from './encoding.ts';
import type { Told } from './message-properties.ts';
import { FrameOutlet } from './outlet.ts';
import { PositionFrames } from './position-frames.ts';
import { PropertyPublishes } from './property-publishes.ts';
import { PublishAnswers } from './publish-answers.ts';
import { Publishes, type PublishHost } from './publishes.ts';
import { RefusalFrames } from './refusal-frames.ts';
import { refusalOf } from './refusals.ts';
import { FrameSubscriber } from './subscriber.ts';

/** The connection of a client that is let in. */
export interface FrameClientHost extends ClientHost {
  readonly intake: Intake;
  /** Has what waits in the session sent, at the end of this turn. */
  sendMore(): void;
  /** The client takes more messages. */
  credit(given: Credit): void;
  /** The client said that it goes. */
  goodbye(): void;
}

export interface ConnectedClientParts {
  services: ClientServices;
  access: Access;
  agreement: Agreement;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  host: FrameClientHost;
}

const NO_BYTES = new Uint8Array(0);

/** A client of the frames between CONNECT and the end of its connection: takes its frames, each by the part that serves it. */
export class ConnectedClient implements PublishHost {
  readonly client: Client;
  readonly agreement: Agreement;
  readonly answers: OrderedAnswers;
  readonly #services: ClientServices;
  readonly #host: FrameClientHost;
  readonly #clientId: string;
  readonly #outlet: FrameOutlet;
  readonly #session: Session;
  #hasSession: boolean;
  readonly #isResumed: boolean;
  readonly #will: Will | undefined;
  /** There where the client numbers its messages across connections. */
  readonly #numbering: Numbering | undefined;
  #hasLeft = false;
  /** The bits that a PUBLISH of this client may have. */
  readonly #publishBits: number;
  // Made when they are needed first: most of many clients only wait for messages.
  #run: Run | undefined;
  #publishes: Publishes | undefined;
  #propertyPublishes: PropertyPublishes | undefined;
  #acknowledged: PublishAnswers | undefined;
  #once: PublishAnswers | undefined;
  #subscriber: FrameSubscriber | undefined;
  #deliveries: Deliveries | undefined;
  #refusalLog: RefusalLog | undefined;
  /** There where the client wants to stay connected when something is refused. */
  readonly #refusals: RefusalFrames | undefined;
  /** There where the client wants to know where in the logs its replays are. */
  readonly #positions: PositionFrames | undefined;

  /** @throws BrokerError, FrameError where it may not be let in. */
  constructor({ services, access, agreement, clientId, host }: ConnectedClientParts) {
    const { broker } = services;
    const { extensions } = agreement;
    this.#services = services;
    this.#host = host;
    this.#clientId = clientId;
    this.agreement = agreement;
    this.#will = willOf(agreement, clientId, broker.clock);
    if (this.#will !== undefined) access.check('publish', 'topic', this.#will.message.topic);
    const wanted = wantedSession(agreement);
    this.#hasSession = agreement.hasSession;
    if (agreement.hasSession) checkMayKeep(services, access, wanted);
    else if (agreement.mayOpenSession) services.sessions.checkMayOpen(access.identity);
    const told = toldBy(agreement);
    this.client = broker.connect({ access, encoding: encodingFor(told, broker.clock), host });
    const { channel, identity } = this.client;
    this.answers = new OrderedAnswers(channel);
    this.#outlet = new FrameOutlet({
      ...{ channel, told, clock: broker.clock, window: this.#window(access) },
      counted: (token, isReplayed) => this.#sentDeliveries().sent(token, isReplayed),
      countedRun: (token, count) => this.#sentDeliveries().sentRun(token, count),
      confirmed: (token) => this.#session.outbox.done(token),
    });
    const opened = agreement.hasSession
      ? openSession(services, this.client, wanted)
      : { session: services.sessions.passing(identity, this.#outlet), isPresent: false };
    this.#session = opened.session;
    if (extensions.has('once'))
      this.#numbering = services.sessions.numberings.open(identity, agreement.offer.producer!);
    this.#isResumed = opened.isPresent && extensions.has('session');
    this.#publishBits = publishBitsOf(agreement);
    if (extensions.has('refusals')) {
      this.#refusals = new RefusalFrames({ channel, clientId, log: this.#log() });
    }
    if (extensions.has('positions')) {
      const { logs } = services;
      this.#positions = new PositionFrames({ logs, channel, clientId, told, clock: broker.clock });
    }
  }

  /**
   * Sends CONNACK, and has the session go on: at once, unless numbered messages of its last connection are still on their way to
   * the disk, so that nobody knows yet whether they have to come again.
   *
   * @param began is given the receipt of the will: until it is settled nothing may be sent.
   */
  begin(began: (will: Receipt) => void): void {
    const { intake } = this.#host;
    let isLater = false;
    let hasBegun = false;
    const begin = () => {
      hasBegun = true;
      if (isLater) intake.resume();
      if (!this.#hasLeft) this.#begin(began);
    };
    if (this.#numbering === undefined) begin();
    else this.#numbering.whenSettled(begin);
    if (hasBegun) return;
    isLater = true;
    intake.pause();
    intake.giveWay();
  }

  #begin(began: (will: Receipt) => void): void {
    const { extensions, offer } = this.agreement;
    const window = extensions.has('delivery') ? this.#outlet.window : undefined;
    const last = this.#numbering?.begin(offer.acknowledged ?? 0);
    this.#once = last === undefined ? undefined : this.#newOnce(last);
    const words = formatOfferAnswer({ isResumed: this.#isResumed, window, last });
    const names = formatExtensions(extensions);
    this.#answer(FrameType.connack, '', words === '' ? names : `${names} ${words}`);
    const receipt = new Receipt();
    if (this.agreement.hasSession) {
      this.#services.sessions.enter(this.#session, this.#outlet, this.#will, receipt);
      // It may be owed retained messages of before.
      if (this.#session.feeds.size > 0) this.#subscriber ??= this.#newSubscriber();
      this.#host.sendMore();
    }
    began(receipt);
  }

  /** Whether its session is one that the broker knows by the client's id. */
  get hasSession(): boolean {
    return this.#hasSession;
  }

  get hasSubscriptions(): boolean {
    return this.#session.subscriptionCount > 0 || this.#subscriber?.isEmpty === false;
  }

  get isDrained(): boolean {
    return this.answers.waiting === 0 && !this.#hasUnanswered && this.client.channel.isDrained;
  }

  get published(): number {
    return this.#run?.published ?? 0;
  }

  /** Messages that the client got. */
  get sent(): number {
    return this.client.channel.delivered + this.#outlet.undroppable;
  }

  /** Messages that wait for the client. */
  get waiting(): number {
    return this.client.channel.waitingMessages + this.#session.waiting;
  }

  *filters(): Iterable<string> {
    if (this.#subscriber !== undefined) yield* this.#subscriber.filters();
    else for (const { filter } of this.#session.subscriptions) yield filter;
  }

  /** What the client publishes without any bit. */
  get publishes(): Publishes {
    this.#publishes ??= this.#newPublishes();
    return this.#publishes;
  }

  /** Whether a type with bits is a PUBLISH that the client may send. */
  isPublish(type: number): boolean {
    return (type & ~this.#publishBits) === FrameType.publish;
  }

  /** Takes such a PUBLISH under the cursor; where to read on. */
  takeMarked(cursor: FrameCursor, bytes: Uint8Array, view: DataView, at: number, limit: number): number {
    const answers = this.#answersOf(cursor.type);
    if ((cursor.type & FrameBit.properties) === 0 && answers?.isNextSeen !== true) {
      return this.publishes.take(cursor, bytes, view, at, limit, answers);
    }
    this.#propertyPublishes ??= this.#newPropertyPublishes();
    const { end } = cursor;
    this.#propertyPublishes.take(cursor, bytes, view, at, answers);
    return end;
  }

  /** All of a chunk was taken: publishes the run in hand, and tells what is safe. */
  chunkTaken(): void {
    this.#run?.publish();
    if (this.#acknowledged === undefined && this.#once === undefined) return;
    this.#acknowledged?.tell();
    this.#once?.tell();
    this.#host.intake.noteWaiting(this.client.channel);
  }

  /** Publishes what came before something else. */
  publishRun(): void {
    this.#run?.publish();
  }

  /** Does what any frame but PUBLISH asks for. @throws BrokerError, FrameError where the connection has to end. */
  takeRequest(frame: Frame): void {
    switch (frame.type) {
      case FrameType.subscribe:
        this.#subscriber ??= this.#newSubscriber();
        this.#subscriber.subscribe(frame);
        return;
      case FrameType.unsubscribe:
        this.#subscriber ??= this.#newSubscriber();
        this.#subscriber.unsubscribe(frame.topic);
        return;
      case FrameType.ping:
        this.#answer(FrameType.pong, '');
        return;
      case FrameType.disconnect:
        this.#host.goodbye();
        return;
      default:
        this.#takeOfExtension(frame);
    }
  }

  refusePublish(error: unknown, topic: Uint8Array, payloadBytes: number, answers?: PublishAnswers): void {
    const isRefusal = error instanceof BrokerError || error instanceof FrameError;
    if (!isRefusal || (answers === undefined && this.#refusals === undefined)) throw error;
    // Earlier messages are on their way before the client learns of this one.
    this.#run?.publish();
    const reason = refusalOf(error, this.#services.logger);
    if (answers === undefined) this.#refusals!.publish(reason, topic, payloadBytes);
    else this.#refuseCounted(reason, topic, payloadBytes, answers);
    this.#host.intake.noteAnswered(this.client.channel);
  }

  /** Refuses a PUBLISH of this type whose payload is too large. */
  refuseTooLarge(error: FrameError, type: number, topic: Uint8Array, payloadBytes: number): void {
    if (!this.isPublish(type)) throw error;
    this.refusePublish(error, topic, payloadBytes, this.#answersOf(type));
  }

  /** Whether frames that are too large may be refused alone. */
  get refusesAlone(): boolean {
    const { extensions } = this.agreement;
    return this.#refusals !== undefined || extensions.has('acks') || extensions.has('once');
  }

  /** Sends what waits, as far as the client takes it. */
  feed(): void {
    if (this.#subscriber !== undefined) this.#subscriber.feed();
    else this.#session.pump();
  }

  /** Whether something waits for the client that it may take later. */
  get mayFeed(): boolean {
    return this.#session.waiting > 0 || this.#subscriber?.isFeeding === true;
  }

  /** Calls when every answer that is still to come was sent, if there is any; whether there is. */
  awaitAnswers(call: () => void): boolean {
    if (this.#acknowledged?.awaitAnswers(call) === true) return true;
    if (this.#once?.awaitAnswers(call) === true) return true;
    if (this.answers.waiting === 0) return false;
    this.answers.whenAllSent(call);
    return true;
  }

  leave(isWillWanted: boolean): void {
    this.#hasLeft = true;
    this.answers.close();
    this.#acknowledged?.close();
    this.#once?.close();
    this.#subscriber?.stop();
    this.#deliveries?.forgetReplayed();
    const { sessions, broker } = this.#services;
    if (this.#hasSession) sessions.leave(this.#session, isWillWanted);
    else this.#session.unsubscribeAll();
    broker.disconnect(this.client);
  }

  get #hasUnanswered(): boolean {
    return (this.#acknowledged?.waiting ?? 0) + (this.#once?.waiting ?? 0) > 0;
  }

  #takeOfExtension(frame: Frame): void {
    const { extensions, properties } = this.agreement;
    if (frame.type === FrameType.position && this.#positions !== undefined) {
      this.#positions.note(frame);
    } else if (frame.type === (FrameType.subscribe | FrameBit.properties) && properties.size > 0) {
      this.#subscriber ??= this.#newSubscriber();
      this.#subscriber.subscribe(frame);
    } else if (extensions.has('delivery') && isOfDeliveries(frame.type)) {
      this.#deliveries ??= this.#newDeliveries();
      if (frame.type === (FrameType.acknowledge | FrameBit.acknowledged)) {
        this.#deliveries.acknowledge(frame.payload);
      } else {
        this.#deliveries.giveBack(frame.payload);
      }
      this.#host.sendMore();
    } else if (frame.type === FrameType.credit && extensions.has('flow')) {
      this.#host.credit(parseCredit(frame.payload));
    } else {
      this.#takeUnexpected(frame.type);
    }
  }

  /** A later version may know more types; one that does not matter to this version is passed over. */
  #takeUnexpected(type: number): void {
    if (isKnownType(type))
      throw new BrokerError('unexpected-frame', `type ${type} came from a connected client`);
    if ((type & RESERVED_TYPE_BITS) !== 0) {
      throw new BrokerError('reserved-bits', `the type byte is 0x${type.toString(16)}`);
    }
    const client = this.#clientId;
    this.#services.logger.debug({ client, type }, 'a frame of an unknown type was passed over');
  }

  #refuseCounted(reason: BrokerError, topic: Uint8Array, bytes: number, answers: PublishAnswers): void {
    // A topic that is no text is not sent back.
    answers.refused(reason, isUtf8(topic) ? new Uint8Array(topic) : '');
    this.#log().add(reason, 'a message was refused', { topic: Buffer.from(topic).toString(), bytes });
  }

  /** The count that a PUBLISH belongs to. */
  #answersOf(type: number): PublishAnswers | undefined {
    if ((type & FrameBit.once) !== 0) {
      if ((type & FrameBit.acknowledged) === 0) return this.#once;
      throw new BrokerError('reserved-bits', `the type byte is 0x${type.toString(16)}`);
    }
    if ((type & FrameBit.acknowledged) === 0) return undefined;
    this.#acknowledged ??= new PublishAnswers({
      ...{ bit: FrameBit.acknowledged, qos: 1, last: 0 },
      ...{ channel: this.client.channel, intake: this.#host.intake, clientId: this.#clientId },
      unsafe: (problem) => this.#log().add(problem, 'messages could not be kept'),
    });
    return this.#acknowledged;
  }

  #newOnce(last: number): PublishAnswers {
    const { numberings } = this.#services.sessions;
    return new PublishAnswers({
      ...{ bit: FrameBit.once, qos: 2, last, numbering: { numbering: this.#numbering!, numberings } },
      ...{ channel: this.client.channel, intake: this.#host.intake, clientId: this.#clientId },
      unsafe: (problem) => this.client.disconnect(problem),
    });
  }

  #sentDeliveries(): Deliveries {
    this.#deliveries ??= this.#newDeliveries();
    return this.#deliveries;
  }

  #newDeliveries(): Deliveries {
    const { fates, broker } = this.#services;
    const { identity } = this.client;
    return new Deliveries({ session: this.#session, identity, fates, clock: broker.clock });
  }

  #window(access: Access): number {
    const { extensions, offer } = this.agreement;
    if (!extensions.has('delivery')) return 0;
    return access.most('inflight', offer.window ?? frameWindow);
  }

  #newSubscriber(): FrameSubscriber {
    const { client, agreement, answers } = this;
    return new FrameSubscriber({
      ...{ services: this.#services, client, clientId: this.#clientId, session: this.#session, answers },
      outlet: this.#outlet,
      acknowledges: () => this.#openSession(),
      ...{ permitted: agreement.properties, positions: this.#positions, refusals: this.#refusals },
    });
  }

  /** What a client acknowledges waits in a session. One that only may acknowledge has none, and ends none of before. */
  #openSession(): void {
    if (this.#hasSession) return;
    this.#hasSession = true;
    this.#services.sessions.adopt(this.#session);
  }

  #newRun(): Run {
    const { intake } = this.#host;
    return new Run(this.#services.broker, intake, frameEncoding, this.client.origin);
  }

  #newPublishes(): Publishes {
    this.#run ??= this.#newRun();
    const { broker } = this.#services;
    const { access } = this.client;
    const { intake } = this.#host;
    return new Publishes({ broker, access, clientId: this.#clientId, intake, run: this.#run, host: this });
  }

  #newPropertyPublishes(): PropertyPublishes {
    this.#run ??= this.#newRun();
    const { broker, maxMessageBytes } = this.#services;
    const { access, origin } = this.client;
    return new PropertyPublishes({
      ...{ broker, access, origin, intake: this.#host.intake, run: this.#run, host: this },
      ...{ permitted: this.agreement.properties, maxMessageBytes },
    });
  }

  #log(): RefusalLog {
    this.#refusalLog ??= new RefusalLog(this.#services.fates, this.client.identity);
    return this.#refusalLog;
  }

  #answer(type: FrameType, topic: string, payload: string | Uint8Array = NO_BYTES): void {
    this.answers.inOrder(encodeFrame(type, topic, payload, this.#clientId));
  }
}

/** A client that did not agree on `session` has one that ends with its connection. */
function wantedSession({ extensions, offer }: Agreement): WantedSession {
  if (!extensions.has('session')) return { isClean: true, expiryMs: 0 };
  return { isClean: offer.startsClean === true, expiryMs: offer.sessionExpiryMs ?? 0 };
}

function toldBy({ extensions }: Agreement): Told {
  return {
    headers: extensions.has('headers'),
    expiry: extensions.has('expiry'),
    retain: extensions.has('retain'),
    offsets: extensions.has('offsets'),
  };
}

function publishBitsOf({ extensions, properties }: Agreement): number {
  return (
    (extensions.has('acks') ? FrameBit.acknowledged : 0) |
    (extensions.has('once') ? FrameBit.once : 0) |
    (properties.size > 0 ? FrameBit.properties : 0)
  );
}

function isOfDeliveries(type: number): boolean {
  return (
    type === (FrameType.acknowledge | FrameBit.acknowledged) ||
    type === (FrameType.credit | FrameBit.acknowledged)
  );
}
