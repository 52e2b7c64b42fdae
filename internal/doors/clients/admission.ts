import { Access } from '../../access/access.ts';
import {
  type Authenticator,
  type Credentials,
  everybodyIsAnonymous,
  isRefusal,
  type Refusal,
  type SaslExchange,
} from '../../access/authenticator.ts';
import type { Identity, Peer } from '../../access/identity.ts';
import { openPolicy, type Policy } from '../../access/policy.ts';
import { beginOAuthBearer } from '../../access/users/sasl/oauthbearer.ts';
import { beginPlain, type Check } from '../../access/users/sasl/plain.ts';
import { BrokerError } from '../../errors.ts';
import type { Connection } from '../../transport/connection.ts';
import type { Intake } from './intake.ts';

/**
 * The step between what a client says of itself and being let in, the same for every door: its credentials are checked,
 * which may take time, and the policy is asked whether it may connect.
 */
export class Admission {
  readonly policy: Policy;
  readonly #authenticator: Authenticator;

  constructor(authenticator: Authenticator = everybodyIsAnonymous, policy: Policy = openPolicy) {
    this.#authenticator = authenticator;
    this.policy = policy;
  }

  /**
   * What a client may do, if it may come in. There at once where the authenticator knows at once.
   *
   * @throws BrokerError `bad-credentials`, `not-authorized`; the promise rejects with the same.
   */
  admit(peer: Peer, credentials: Credentials): Access | Promise<Access> {
    const found = this.#authenticator.authenticate(peer, credentials);
    return found instanceof Promise ? this.#admitLater(found) : this.accessOf(found);
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
    if (isRefusal(begun)) throw new BrokerError(begun.code ?? 'bad-credentials', begun.reason);
    return begun;
  }

  /**
   * What somebody may do whom an exchange found out.
   *
   * @throws BrokerError `bad-credentials`, `not-authorized`.
   */
  accessOf(found: Identity | Refusal): Access {
    if (isRefusal(found)) throw new BrokerError(found.code ?? 'bad-credentials', found.reason);
    const access = new Access(found, this.policy);
    access.checkConnect();
    return access;
  }

  #oneStepExchange(peer: Peer, mechanism: string): SaslExchange | Refusal {
    const begin = Object.hasOwn(ONE_STEP_MECHANISMS, mechanism) ? ONE_STEP_MECHANISMS[mechanism] : undefined;
    if (begin === undefined) return { reason: `the mechanism is none of ${this.mechanisms.join(', ')}` };
    return begin((credentials) => this.#authenticator.authenticate(peer, credentials));
  }

  async #admitLater(answer: Promise<Identity | Refusal>): Promise<Access> {
    return this.accessOf(await answer);
  }
}

/** Mechanisms that any authenticator can serve, because their client shows all in one message. */
const ONE_STEP_MECHANISMS: Record<string, (check: Check) => SaslExchange> = {
  PLAIN: beginPlain,
  OAUTHBEARER: beginOAuthBearer,
};

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
