import { Access } from '../../access/access.ts';
import { anonymous } from '../../access/identity.ts';
import { closedPolicy } from '../../access/policy.ts';
import { BrokerError } from '../../errors.ts';
import { atOnceBytes, kafkaRequestElements } from '../../limits/kafka.ts';
import type { Affected, Fates } from '../../observe/fates.ts';
import type { Counter } from '../../observe/metrics.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { decodeRequest, encodeResponse, peekRequest, withSizeBefore } from '../../protocol/kafka/exchange.ts';
import { API_VERSIONS_KEY } from '../../protocol/kafka/headers.ts';
import { KafkaProtocolError } from '../../protocol/kafka/protocol-error.ts';
import { type Api, includes, type RequestOf } from '../../protocol/kafka/schema.ts';
import { RefusalLog } from '../clients/refusal-log.ts';
import type { Answers } from './answers.ts';
import {
  type Answer,
  CloseConnection,
  type Handler,
  type KafkaClient,
  type KafkaParts,
  type RequestContext,
} from './handler.ts';
import { unsupportedApiVersions } from './handlers/18-api-versions.ts';
import type { Pending } from './pending-answers.ts';
import { RequestAccess } from './request-access.ts';

/** What requests are served with; all connections of the door share it. */
export interface ServingParts {
  readonly kafka: KafkaParts;
  readonly requests: Counter;
  readonly fates: Fates;
}

export interface RequestsParts {
  readonly shared: ServingParts;
  readonly client: KafkaClient;
  readonly answers: Answers;
  readonly remote: string;
  /** Called where a request was answered in a later turn, so that others may begin. */
  readonly goOn: () => void;
  /** Called where the connection has to end. */
  readonly end: () => void;
}

/** Serves the requests of one connection: reads each, asks what its client may do, has it handled, and answers it. */
export class Requests {
  readonly #parts: RequestsParts;
  readonly #client: KafkaClient;
  readonly #answers: Answers;
  #begun = 0;
  #clientId = '';
  #refusals: RefusalLog | undefined;

  constructor(parts: RequestsParts) {
    this.#parts = parts;
    this.#client = parts.client;
    this.#answers = parts.answers;
  }

  /** How many have begun. */
  get begun(): number {
    return this.#begun;
  }

  /** Records that the client has produced and was given so far. */
  get messages(): Readonly<KafkaClient['messages']> {
    return this.#client.messages;
  }

  /** As the last request said. */
  get clientId(): string {
    return this.#clientId;
  }

  /** Who the client is, as far as it has said so. */
  get affected(): Affected {
    const identity = this.#client.authentication.access?.identity;
    const { remote } = this.#parts;
    return { clientId: this.#clientId, user: identity?.user, remote, door: 'kafka' };
  }

  /** Begins a request. @throws KafkaProtocolError, BrokerError: nobody could be told but by the end of the connection. */
  begin(handler: Handler, request: Uint8Array): void {
    this.#parts.shared.requests.value++;
    this.#begun++;
    const { api } = handler;
    const { apiVersion: version, correlationId } = peekRequest(request);
    if (!includes(api.validVersions, version)) {
      if (api.key !== API_VERSIONS_KEY) {
        throw new KafkaProtocolError('unsupported-version', `${api.name} has no version ${version} here`, 2);
      }
      this.#answers.write(encodeResponse(api, 0, correlationId, unsupportedApiVersions()));
      return;
    }
    const access = this.#accessFor(handler);
    const { header, body } = decodeRequest(api, request, kafkaRequestElements);
    this.#clientId = header.clientId ?? '';
    this.#enter();
    const begun: Begun = {
      handler,
      version,
      correlationId,
      pending: this.#answers.begin(handler.isConcurrent, request.length),
    };
    const context = {
      parts: this.#parts.shared.kafka,
      version,
      clientId: this.#clientId,
      client: this.#client,
      access,
      answer: begun.pending,
      refused: this.#tellRefusal,
    };
    this.#inTime(begun, () => this.#handle(begun, body, context));
  }

  /** A token of a login that came bare is answered bare; a failure has no words, and the connection ends. */
  async takeBareToken(token: Uint8Array): Promise<void> {
    const pending = this.#answers.begin(false, token.length);
    try {
      const { errorCode, bytes } = await this.#client.authentication.take(token);
      this.#answers.settle(pending, errorCode === KafkaErrorCode.none ? withSizeBefore(bytes) : []);
    } catch (error) {
      this.#fail('a bare token', error);
    }
    this.#parts.goOn();
  }

  /**
   * The permissions of a request. Before its client has said who it is, after that is over, and when it may no longer be
   * connected, hardly anything is served.
   *
   * @throws BrokerError `not-authorized`, `credentials-expired`, which close the connection: outside, nobody has a place for
   * an error.
   */
  #accessFor({ api, needs, isBeforeAuthentication }: Handler): RequestAccess {
    const { access, isExpired } = this.#client.authentication;
    if (!isExpired && access !== undefined && access.connectRefusal === undefined)
      return new RequestAccess(access, needs, this.#tellRefusal);
    if (isBeforeAuthentication) return NO_ACCESS;
    if (isExpired) throw new BrokerError('credentials-expired', `${api.name} came after the login was over`);
    throw new BrokerError('not-authorized', `${api.name} is not served to a client that was not let in`);
  }

  /**
   * Limits hold for whoever the client is by now. Kafka's clients say their client id with each request; the first one of a
   * client that is in is the one that it has.
   *
   * @throws BrokerError `too-many-connections`.
   */
  #enter(): void {
    const { access } = this.#client.authentication;
    if (access === undefined) return;
    const { identity } = access;
    if (identity.clientId === '' && this.#clientId !== '') {
      access.renew({ ...identity, clientId: this.#clientId });
    }
    this.#client.throttle.enter(access);
  }

  /** Reading a long request, handling it and writing its answer may each take long: they share no turn that is over. */
  #inTime(begun: Begun, step: () => void): void {
    if (this.#isOverFor(begun)) this.#parts.shared.kafka.slices.later(step);
    else step();
  }

  #isOverFor({ pending }: Begun): boolean {
    return pending.bytes > atOnceBytes && this.#parts.shared.kafka.slices.isOver;
  }

  #handle(begun: Begun, body: RequestOf<Api>, context: RequestContext): void {
    const { handler } = begun;
    try {
      const answer = handler.handle(body, context);
      if (answer instanceof Promise) {
        answer.then(
          (late) => this.#inTime(begun, () => this.#answerLate(begun, late)),
          (error) => this.#fail(handler.api.name, error),
        );
      } else if (this.#isOverFor(begun)) {
        this.#parts.shared.kafka.slices.later(() => this.#answerLate(begun, answer));
      } else {
        this.#answer(begun, answer);
      }
    } catch (error) {
      this.#fail(handler.api.name, error);
    }
  }

  #answerLate(begun: Begun, answer: Answer<Handler['api']>): void {
    if (this.#answers.isClosed) return;
    try {
      this.#answer(begun, answer);
    } catch (error) {
      this.#fail(begun.handler.api.name, error);
      return;
    }
    this.#parts.goOn();
  }

  #answer(begun: Begun, answer: Answer<Handler['api']>): void {
    const { handler, version, correlationId, pending } = begun;
    this.#answers.settle(
      pending,
      answer === undefined ? [] : encodeResponse(handler.api, version, correlationId, answer),
    );
  }

  readonly #tellRefusal = (refusal: BrokerError): void => {
    this.#refusals ??= new RefusalLog(this.#parts.shared.fates, () => this.affected);
    this.#refusals.add(refusal, 'a request was refused');
  };

  /** A handler answers every error that it knows; anything else is a bug, or asks for the connection to be closed. */
  #fail(what: string, error: unknown): void {
    if (this.#answers.isClosed) return;
    if (!(error instanceof CloseConnection)) {
      this.#parts.shared.fates.tell({
        outcome: 'disconnected',
        code: 'internal-error',
        affected: this.affected,
        details: { api: what, error },
        line: 'a Kafka request could not be answered',
        level: 'error',
      });
    }
    this.#parts.end();
  }
}

/** A request that a handler has. */
interface Begun {
  readonly handler: Handler;
  readonly version: number;
  readonly correlationId: number;
  readonly pending: Pending;
}

/** Of a client that was not let in. */
const NO_ACCESS = new RequestAccess(
  new Access(
    anonymous({ clientId: '', door: 'kafka', listener: '', remote: '', certificateName: undefined }),
    closedPolicy,
  ),
  [],
);
