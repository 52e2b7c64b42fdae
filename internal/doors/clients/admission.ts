import { Access } from '../../access/access.ts';
import {
  type Authenticator,
  type Credentials,
  everybodyIsAnonymous,
  isRefusal,
  type Refusal,
  type SaslExchange,
  type SaslStep,
  userToTell,
} from '../../access/authenticator.ts';
import type { Identity, Peer } from '../../access/identity.ts';
import { FailedLogins } from '../../access/limits/failed-logins.ts';
import { Limits } from '../../access/limits/limits.ts';
import { Reconnects } from '../../access/limits/reconnects.ts';
import { openPolicy, type Policy } from '../../access/policy.ts';
import { beginOAuthBearer } from '../../access/users/sasl/oauthbearer.ts';
import { beginPlain, type Check } from '../../access/users/sasl/plain.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import { BrokerError } from '../../errors.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Connection } from '../../transport/connection.ts';
import type { Intake } from './intake.ts';

/** Hears of a client that was not let in; the client itself hears only that it was not. */
export type RefusedLogin = (peer: Peer, refusal: Refusal) => void;

/**
 * The step between what a client says of itself and being let in, the same for every door: whoever guesses or connects in
 * a loop waits, credentials are checked, which may take time, and the policy is asked whether the client may connect.
 */
export class Admission {
  readonly policy: Policy;
  readonly limits: Limits;
  readonly #authenticator: Authenticator;
  readonly #told: RefusedLogin;
  readonly #failedLogins: FailedLogins;
  readonly #reconnects: Reconnects;

  constructor(
    authenticator: Authenticator = everybodyIsAnonymous,
    policy: Policy = openPolicy,
    limits = new Limits({ clock: systemClock }),
    told: RefusedLogin = () => {},
  ) {
    this.#told = told;
    this.#authenticator = authenticator;
    this.policy = policy;
    this.limits = limits;
    this.#failedLogins = new FailedLogins(this.limits.clock);
    this.#reconnects = new Reconnects(this.limits.clock, (throttle) => this.limits.throttled(throttle));
  }

  /**
   * What a client may do, if it may come in. There at once where the authenticator knows at once.
   *
   * @param isConnecting whether it counts as a new connection of its client; where not, its door asks for its turn.
   * @throws BrokerError `bad-credentials`, `not-authorized`, `too-many-logins`, `connection-rate-exceeded`; the promise
   *   rejects with the same.
   */
  admit(peer: Peer, credentials: Credentials, isConnecting = true): Access | Promise<Access> {
    const reconnect = this.#reconnects.turn(peer);
    const user = guessedUser(credentials);
    const login = user === undefined ? undefined : this.#failedLogins.turn(peer.remote, user);
    if (reconnect !== undefined || login !== undefined) {
      return Promise.all([reconnect, login]).then(() => this.#admitNow(peer, credentials, isConnecting));
    }
    return this.#admitNow(peer, credentials, isConnecting);
  }

  /** The SASL mechanisms that a client may choose from. */
  get mechanisms(): readonly string[] {
    return this.#authenticator.mechanisms ?? Object.keys(ONE_STEP_MECHANISMS);
  }

  /**
   * Begins an exchange; who comes out of it is let in by {@link accessOf}.
   *
   * @throws BrokerError where the mechanism is not one of {@link mechanisms}.
   */
  beginExchange(peer: Peer, mechanism: string): SaslExchange {
    const begun =
      this.#authenticator.beginExchange?.(peer, mechanism) ?? this.#oneStepExchange(peer, mechanism);
    if (isRefusal(begun)) {
      this.#told(peer, begun);
      throw refused(begun);
    }
    return { step: (message) => this.#step(peer, begun, message) };
  }

  /**
   * What somebody may do whom an exchange found out.
   *
   * @throws BrokerError `bad-credentials`, `not-authorized`.
   */
  accessOf(found: Identity | Refusal): Access {
    if (isRefusal(found)) throw refused(found);
    const access = new Access(found, this.policy, this.limits);
    access.checkConnect();
    return access;
  }

  #oneStepExchange(peer: Peer, mechanism: string): SaslExchange | Refusal {
    const begin = Object.hasOwn(ONE_STEP_MECHANISMS, mechanism) ? ONE_STEP_MECHANISMS[mechanism] : undefined;
    if (begin === undefined) return { reason: `the mechanism is none of ${this.mechanisms.join(', ')}` };
    return begin((credentials) => this.#authenticator.authenticate(peer, credentials));
  }

  #admitNow(peer: Peer, credentials: Credentials, isConnecting: boolean): Access | Promise<Access> {
    const found = this.#authenticator.authenticate(peer, credentials);
    const letIn = (known: Identity | Refusal) => {
      if (isRefusal(known)) this.#told(peer, known);
      const user = guessedUser(credentials);
      if (user !== undefined) this.#note(peer, user, known);
      const access = this.accessOf(known);
      return isConnecting ? inTurn(access) : access;
    };
    return found instanceof Promise ? found.then(letIn) : letIn(found);
  }

  /** Whose user becomes known only in the exchange waits before it hears how that ended. */
  async #step(peer: Peer, exchange: SaslExchange, message: Uint8Array): Promise<SaslStep> {
    const step = await exchange.step(message);
    if (isRefusal(step)) this.#told(peer, step);
    if (!isRefusal(step) && step.kind === 'challenge') return step;
    const user = isRefusal(step) ? step.user : step.identity.user;
    if (user === undefined) return step;
    try {
      await this.#failedLogins.turn(peer.remote, user);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      const isUserKnown = !isRefusal(step) || step.isUserKnown;
      return { code: error.code, reason: error.message, user, isUserKnown };
    }
    this.#note(peer, user, isRefusal(step) ? step : step.identity);
    return step;
  }

  #note({ remote }: Peer, user: string, found: Identity | Refusal): void {
    if (!isRefusal(found)) this.#failedLogins.succeeded(remote, user);
    else if ((found.code ?? 'bad-credentials') === 'bad-credentials') this.#failedLogins.failed(remote, user);
  }
}

function refused(refusal: Refusal): BrokerError {
  const { code = 'bad-credentials', reason, cause } = refusal;
  return new BrokerError(code, reason, { user: userToTell(refusal), cause });
}

/** Who connects too often waits for its turn. */
function inTurn(access: Access): Access | Promise<Access> {
  const turn = access.allowance?.turnToConnect();
  return turn === undefined ? access : turn.then(() => access);
}

/** Whose password somebody may be guessing; tokens are too long for that. */
function guessedUser(credentials: Credentials): string | undefined {
  return credentials.kind === 'password' ? credentials.user : undefined;
}

/** Mechanisms that any authenticator can serve, because their client shows all in one message. */
const ONE_STEP_MECHANISMS: Record<string, (check: Check) => SaslExchange> = {
  PLAIN: beginPlain,
  OAUTHBEARER: beginOAuthBearer,
};

/** The same once nothing that the client left on other nodes of a cluster can come behind what it says. */
export function whenBack(
  answer: Access | Promise<Access>,
  sessions: Pick<Sessions, 'comesBack'>,
): Access | Promise<Access> {
  if (answer instanceof Promise) return answer.then((access) => whenBack(access, sessions));
  const waiting = sessions.comesBack(answer.identity);
  return waiting === undefined ? answer : waiting.then(() => answer);
}

/** What a connection tells of its peer. */
export function peerOf(
  connection: Pick<Connection, 'listener' | 'remote' | 'certificate'>,
  door: string,
  clientId: string,
): Peer {
  const { listener, remote, certificate } = connection;
  const names = certificate?.commonNames ?? [];
  return {
    clientId,
    door,
    listener,
    remote,
    certificateName: names.length === 1 ? names[0] : undefined,
    certificate,
  };
}

/**
 * Lets a client in, or refuses it, once it is known which. Until then nothing more of what it sends is looked at.
 *
 * @param refuse is told what was thrown, by `letIn` too.
 */
export function whenAdmitted<T>(
  intake: Intake,
  answer: T | Promise<T>,
  letIn: (access: T) => void,
  refuse: (error: unknown) => void,
): void {
  if (!(answer instanceof Promise)) {
    letIn(answer);
    return;
  }
  intake.pause();
  intake.giveWay();
  answer
    .then(letIn)
    .catch(refuse)
    .finally(() => intake.resume());
}
