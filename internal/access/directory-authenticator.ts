import {
  type Authenticator,
  type Credentials,
  isRefusal,
  type Refusal,
  type SaslExchange,
  type SaslStep,
} from './authenticator.ts';
import type { Identity, Peer } from './identity.ts';
import type { Standing } from './standing.ts';

/** An authenticator whose users stand in the directory: it remembers with what they were let in. */
export class DirectoryAuthenticator implements Authenticator {
  readonly #standing: Standing;
  readonly #users: Authenticator;

  constructor(standing: Standing, users: Authenticator) {
    this.#standing = standing;
    this.#users = users;
  }

  get mechanisms(): readonly string[] | undefined {
    return this.#users.mechanisms;
  }

  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal> {
    const answer = this.#users.authenticate(peer, credentials);
    if (credentials.kind !== 'password') return answer;
    return answer instanceof Promise ? answer.then((found) => this.#noted(found)) : this.#noted(answer);
  }

  beginExchange(peer: Peer, mechanism: string): SaslExchange | Refusal | undefined {
    const exchange = this.#users.beginExchange?.(peer, mechanism);
    if (exchange === undefined || isRefusal(exchange) || mechanism === 'OAUTHBEARER') return exchange;
    return { step: async (message) => this.#notedStep(await exchange.step(message)) };
  }

  #notedStep(step: SaslStep): SaslStep {
    if (!isRefusal(step) && step.kind === 'done') this.#noted(step.identity);
    return step;
  }

  /** Tokens, which clients may show in the place of a password, end by themselves. */
  #noted(found: Identity | Refusal): Identity | Refusal {
    if (!isRefusal(found) && found.expiresAtMs === undefined) this.#standing.letIn(found);
    return found;
  }
}
