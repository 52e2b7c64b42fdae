import type { Access } from '../../access/access.ts';
import {
  isRefusal,
  NO_CREDENTIALS,
  type Refusal,
  type SaslExchange,
  type SaslStep,
} from '../../access/authenticator.ts';
import type { Identity, Peer } from '../../access/identity.ts';
import { BrokerError, quoted } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { failedLoginDelayMs, kafkaMaxBytesBeforeLogin, reauthenticationEveryMs } from '../../limits/kafka.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { Admission } from '../clients/admission.ts';
import { type KafkaError, kafkaError, NO_ERROR } from './errors.ts';

/** The answer to a handshake. */
export interface HandshakeAnswer {
  readonly errorCode: KafkaErrorCode;
  readonly mechanisms: readonly string[];
}

/** The answer to a token. */
export interface TokenAnswer extends KafkaError {
  readonly bytes: Uint8Array;
  /** The lifetime of the login; 0 if it has no end, or is not finished. */
  readonly sessionLifetimeMs: number;
}

/** A conversation of SASL that is under way. */
interface Conversation {
  readonly mechanism: string;
  /** A refusal where nothing that the client could say would help; it hears of that when it has said something. */
  readonly exchange: SaslExchange | Refusal;
  /** Whether tokens come without the header of a request, as clients of before Kafka 1.0 send them. */
  readonly hasBareTokens: boolean;
}

/**
 * The login of the client of one Kafka connection. At first the client is whoever its connection says: nobody in
 * particular, or the name in its certificate. A handshake begins a conversation of SASL, and where that comes to a good end
 * the client is somebody else from the next request on. A login that ends at some time may be made again on the same
 * connection (KIP-368), by the same user with the same mechanism; what the client may do does not change until that
 * is done.
 */
export class Authentication {
  readonly #admission: Admission;
  readonly #clock: Clock;
  readonly #whenIn: () => void;
  #peer: Peer;
  #access: Access | undefined;
  #failure: Refusal | undefined;
  #conversation: Conversation | undefined;
  /** The mechanism of the last login; undefined if there was none. */
  #mechanism: string | undefined;
  /** When the client last began to log in, by the clock. */
  #begunAt = Number.NEGATIVE_INFINITY;

  /** @param whenIn is called whenever the client was let in. */
  constructor(admission: Admission, peer: Peer, clock: Clock, whenIn: () => void) {
    this.#admission = admission;
    this.#peer = peer;
    this.#clock = clock;
    this.#whenIn = whenIn;
  }

  /** The permissions of the client; undefined until it is let in. */
  get access(): Access | undefined {
    return this.#access;
  }

  /** Why the connection has to end, once everything is answered. */
  get failure(): Refusal | undefined {
    return this.#failure;
  }

  /** Whether what comes next is a token without the header of a request. */
  get takesBareToken(): boolean {
    return this.#conversation?.hasBareTokens ?? false;
  }

  /** Whether what the client has shown holds no longer. */
  get isExpired(): boolean {
    const expiresAtMs = this.#access?.identity.expiresAtMs;
    return expiresAtMs !== undefined && this.#clock.now() >= expiresAtMs;
  }

  /**
   * Lets the client in as whoever its connection says. One that has to say more stays outside until it has.
   *
   * @throws BrokerError `bad-credentials`, `not-authorized`: why it is not in yet; the promise rejects with the same.
   */
  admit(): Promise<void> | undefined {
    const answer = this.#admission.admit(this.#peer, NO_CREDENTIALS);
    if (answer instanceof Promise) return answer.then((access) => void this.#letIn(access));
    this.#letIn(answer);
    return undefined;
  }

  /** Chooses how the client will say who it is. */
  async handshake(mechanism: string, clientId: string, hasBareTokens: boolean): Promise<HandshakeAnswer> {
    const { mechanisms } = this.#admission;
    if (this.#conversation !== undefined) {
      await this.#fail({ reason: 'a second handshake came before the login was finished' });
      return ILLEGAL_STATE;
    }
    // As in Kafka, this is no reason to close.
    if (mechanisms.length === 0 || !this.#mayBegin()) return ILLEGAL_STATE;
    if (!mechanisms.includes(mechanism)) {
      await this.#fail({ reason: `there is no login by ${quoted(mechanism)}` });
      return { errorCode: KafkaErrorCode.unsupportedSaslMechanism, mechanisms };
    }
    this.#begunAt = this.#clock.elapsedMs();
    this.#peer = { ...this.#peer, clientId };
    this.#conversation = { mechanism, exchange: this.#exchangeBy(mechanism), hasBareTokens };
    return { errorCode: KafkaErrorCode.none, mechanisms };
  }

  /** Takes the next token of the client. Every failure takes the same time longer, and says nothing about any user. */
  async take(token: Uint8Array): Promise<TokenAnswer> {
    const conversation = this.#conversation;
    if (conversation === undefined) return this.#unexpectedToken();
    const step = await nextStep(conversation, token);
    if (isRefusal(step)) return this.#refused(step);
    if (step.kind === 'challenge') return { ...NO_ERROR, bytes: step.bytes, sessionLifetimeMs: 0 };
    const refusal = this.#logIn(step.identity, conversation.mechanism);
    if (refusal !== undefined) return this.#refused(refusal);
    return { ...NO_ERROR, bytes: step.bytes, sessionLifetimeMs: this.#lifetimeOf(step.identity) };
  }

  /** A login may begin once, and again only where the one before ends some time, and not in a loop. */
  #mayBegin(): boolean {
    if (this.#mechanism === undefined) return true;
    const mayEnd = this.#access?.identity.expiresAtMs !== undefined;
    return mayEnd && this.#clock.elapsedMs() - this.#begunAt >= reauthenticationEveryMs;
  }

  #exchangeBy(mechanism: string): SaslExchange | Refusal {
    if (this.#mechanism !== undefined && this.#mechanism !== mechanism) {
      return { reason: `who logged in by ${this.#mechanism} does not log in again by ${mechanism}` };
    }
    try {
      return this.#admission.beginExchange(this.#peer, mechanism);
    } catch (error) {
      return refusalOf(error);
    }
  }

  async #unexpectedToken(): Promise<TokenAnswer> {
    const isIn = this.#access !== undefined;
    const message = isIn ? 'the login is finished' : 'a handshake comes first';
    if (!isIn) await this.#fail({ reason: message });
    return failed(KafkaErrorCode.illegalSaslState, message);
  }

  #logIn(identity: Identity, mechanism: string): Refusal | undefined {
    const before = this.#mechanism === undefined ? identity.user : this.#access?.identity.user;
    if (before !== identity.user)
      return { reason: 'who logs in again on a connection is the same user as before' };
    try {
      const access = this.#admission.accessOf(identity);
      if (this.#mechanism === undefined) this.#letIn(access);
      else this.#access?.renew(identity);
    } catch (error) {
      return refusalOf(error);
    }
    this.#mechanism = mechanism;
    this.#conversation = undefined;
    return undefined;
  }

  #letIn(access: Access): void {
    this.#access = access;
    this.#whenIn();
  }

  /** At least a millisecond where the login ends: 0 is for ever. */
  #lifetimeOf({ expiresAtMs }: Identity): number {
    return expiresAtMs === undefined ? 0 : Math.max(1, expiresAtMs - this.#clock.now());
  }

  async #refused(refusal: Refusal): Promise<TokenAnswer> {
    await this.#fail(refusal);
    return failed(KafkaErrorCode.saslAuthenticationFailed, refusal.reason);
  }

  async #fail(refusal: Refusal): Promise<void> {
    this.#failure = refusal;
    this.#conversation = undefined;
    await new Promise<void>((resolve) => void this.#clock.after(failedLoginDelayMs, resolve));
  }
}

/** @throws the error itself where it is a bug. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof BrokerError)) throw error;
  return { code: error.code, reason: error.message };
}

const ILLEGAL_STATE: HandshakeAnswer = { errorCode: KafkaErrorCode.illegalSaslState, mechanisms: [] };

async function nextStep({ exchange }: Conversation, token: Uint8Array): Promise<SaslStep> {
  if (isRefusal(exchange)) return exchange;
  if (token.length > kafkaMaxBytesBeforeLogin) return { reason: 'the token is too long' };
  return await exchange.step(token);
}

function failed(errorCode: KafkaErrorCode, message: string): TokenAnswer {
  return { ...kafkaError(errorCode, message), bytes: NO_BYTES, sessionLifetimeMs: 0 };
}

const NO_BYTES = new Uint8Array(0);
