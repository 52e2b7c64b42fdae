import {
  type Authenticator,
  type Credentials,
  isRefusal,
  type Refusal,
  type SaslExchange,
} from './authenticator.ts';
import type { Identity, Peer } from './identity.ts';

/** Hears of a client that was not let in. */
export type RefusedLogin = (peer: Peer, refusal: Refusal) => void;

/** An authenticator that tells of all whom another one refuses: a client hears only that it was refused. */
export class TellingAuthenticator implements Authenticator {
  readonly #authenticator: Authenticator;
  readonly #tell: RefusedLogin;

  constructor(authenticator: Authenticator, tell: RefusedLogin) {
    this.#authenticator = authenticator;
    this.#tell = tell;
  }

  get mechanisms(): readonly string[] | undefined {
    return this.#authenticator.mechanisms;
  }

  authenticate(peer: Peer, credentials: Credentials): Identity | Refusal | Promise<Identity | Refusal> {
    const answer = this.#authenticator.authenticate(peer, credentials);
    return answer instanceof Promise
      ? answer.then((found) => this.#told(peer, found))
      : this.#told(peer, answer);
  }

  beginExchange(peer: Peer, mechanism: string): SaslExchange | Refusal | undefined {
    const exchange = this.#authenticator.beginExchange?.(peer, mechanism);
    if (exchange === undefined || isRefusal(exchange)) return exchange && this.#told(peer, exchange);
    return { step: async (message) => this.#told(peer, await exchange.step(message)) };
  }

  #told<T extends object>(peer: Peer, answer: T | Refusal): T | Refusal {
    if (isRefusal(answer)) this.#tell(peer, answer);
    return answer;
  }
}
