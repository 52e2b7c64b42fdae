import type { Access } from '../../../access/access.ts';
import { type Credentials, NO_CREDENTIALS } from '../../../access/authenticator.ts';
import type { Logger } from '../../../broker/broker.ts';
import type { Sessions } from '../../../broker/sessions/sessions.ts';
import { BrokerError } from '../../../errors.ts';
import type { PacketCursor } from '../../../protocol/mqtt/cursor.ts';
import { decodePacket } from '../../../protocol/mqtt/decode.ts';
import { type Connect, PACKET_NAMES, PacketType } from '../../../protocol/mqtt/packet.ts';
import type { Connection } from '../../../transport/connection.ts';
import { type Admission, peerOf, whenAdmitted, whenBack } from '../../clients/admission.ts';
import type { Intake } from '../../clients/intake.ts';
import { type AuthOutcome, authPacket, EnhancedAuthentication } from '../enhanced-authentication.ts';
import { type Agreement, checkFits, negotiate, type Offer } from '../negotiate.ts';
import { encodeWithin } from '../outgoing/answers.ts';
import { connectAnswer } from '../outgoing/connect-answer.ts';
import { refusalOf } from '../refusals.ts';

export interface NewcomerParts {
  sessions: Pick<Sessions, 'comesBack'>;
  connection: Connection;
  intake: Intake;
  admission: Admission;
  offer: Offer;
  logger: Logger;
  host: NewcomerHost;
}

/** The connection of a newcomer. */
export interface NewcomerHost {
  letIn(admitted: Admitted): void;
  /**
   * @param answer the CONNACK, where the client takes one.
   * @param clientId what the client calls itself, where its CONNECT could be read.
   */
  refuseConnect(reason: BrokerError, answer: Uint8Array | undefined, clientId: string | undefined): void;
  /** Sends an AUTH. */
  ask(bytes: Uint8Array): void;
  /** The client has changed its mind. */
  goneBeforeConnack(): void;
}

/** A client that may come in. */
export interface Admitted {
  access: Access;
  connect: Connect;
  agreement: Agreement;
  /** There where the client named an authentication method. */
  authentication: EnhancedAuthentication | undefined;
}

/** A CONNECT whose client proves step by step who it is. */
interface Proving {
  connect: Connect;
  agreement: Agreement;
  authentication: EnhancedAuthentication;
  refuse(error: unknown): void;
}

/** A client that has no CONNACK yet: takes its CONNECT, and the AUTHs by which it proves who it is. */
export class Newcomer {
  readonly #parts: NewcomerParts;
  #proving: Proving | undefined;

  constructor(parts: NewcomerParts) {
    this.#parts = parts;
  }

  /** @throws BrokerError for a type of packet that has no place here. */
  checkMayBegin(type: number): void {
    if (this.#proving === undefined) {
      if (type === PacketType.connect) return;
      throw new BrokerError('not-connected', `the first packet is ${PACKET_NAMES[type]}, not CONNECT`);
    }
    // [MQTT-3.1.2-30]
    if (type === PacketType.auth || type === PacketType.disconnect) return;
    throw new BrokerError('protocol-error', `${PACKET_NAMES[type]} came before authentication was over`);
  }

  /** Takes a packet that {@link checkMayBegin} let pass. */
  take(bytes: Uint8Array, cursor: PacketCursor): void {
    if (this.#proving === undefined) this.#takeConnect(bytes, cursor);
    else this.#takeNext(this.#proving, bytes, cursor);
  }

  /** Refuses the client by a CONNACK for what was thrown, where it has said enough for one. Whether it did. */
  refuse(error: unknown): boolean {
    this.#proving?.refuse(error);
    return this.#proving !== undefined;
  }

  #takeConnect(bytes: Uint8Array, cursor: PacketCursor): void {
    const { host, logger, offer } = this.#parts;
    const body = bytes.subarray(cursor.bodyStart);
    let connect: Connect | undefined;
    const refuse = (error: unknown) => {
      const reason = refusalOf(error, logger);
      host.refuseConnect(reason, connectAnswer(reason, body, connect?.properties), connect?.clientId);
    };
    try {
      connect = decodePacket(bytes, cursor, 4) as Connect;
      this.#admit(connect, negotiate(connect, offer), refuse);
    } catch (error) {
      refuse(error);
    }
  }

  #admit(connect: Connect, agreement: Agreement, refuse: (error: unknown) => void): void {
    const { admission, connection, intake, host } = this.#parts;
    const peer = peerOf(connection, 'mqtt', agreement.clientId);
    const { authenticationMethod } = connect.properties;
    if (authenticationMethod === undefined) {
      const letIn = (access: Access) => host.letIn({ access, connect, agreement, authentication: undefined });
      const admitted = admission.admit(peer, credentialsOf(connect));
      whenAdmitted(intake, whenBack(admitted, this.#parts.sessions), letIn, refuse);
      return;
    }
    const authentication = new EnhancedAuthentication(authenticationMethod, admission, peer);
    const outcome = authentication.begin(connect.properties);
    this.#proving = { connect, agreement, authentication, refuse };
    this.#await(this.#proving, outcome);
  }

  #takeNext(proving: Proving, bytes: Uint8Array, cursor: PacketCursor): void {
    const packet = decodePacket(bytes, cursor, 5);
    if (packet.type === PacketType.auth) this.#await(proving, proving.authentication.take(packet, false));
    else this.#parts.host.goneBeforeConnack();
  }

  /** Lets the client in, or asks it for its next step. Meanwhile nothing more of what it sends is looked at. */
  #await({ connect, agreement, authentication, refuse }: Proving, outcome: Promise<AuthOutcome>): void {
    const { intake, host } = this.#parts;
    const goOn = (next: AuthOutcome) => {
      if (next.access === undefined) {
        host.ask(encodeWithin(agreement, authPacket(next)));
        return;
      }
      // CONNACK has the method, and the broker's own proof [MQTT-4.12.0-5].
      const connack = { ...agreement.connack, ...next.properties };
      checkFits(connack, agreement.maximumPacketSizeBytes);
      host.letIn({ access: next.access, connect, agreement: { ...agreement, connack }, authentication });
    };
    const { sessions } = this.#parts;
    const settled = outcome.then(async (next) => {
      if (next.access !== undefined) await whenBack(next.access, sessions);
      return next;
    });
    whenAdmitted(intake, settled, goOn, refuse);
  }
}

/** The credentials in a CONNECT. */
function credentialsOf({ userName, password }: Connect): Credentials {
  if (userName === undefined && password === undefined) return NO_CREDENTIALS;
  return { kind: 'password', user: userName ?? '', password };
}
