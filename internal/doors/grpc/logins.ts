import type { Access } from '../../access/access.ts';
import { type Credentials, NO_CREDENTIALS } from '../../access/authenticator.ts';
import type { Identity, Peer } from '../../access/identity.ts';
import { BrokerError } from '../../errors.ts';
import { grpcLoginsPerConnection } from '../../limits/grpc.ts';
import type { Admission } from '../clients/admission.ts';

/**
 * Who the calls of one connection are for. Each call may say it in its metadata `authorization`, as `Basic` (RFC 7617) or
 * `Bearer` (RFC 6750); one that says nothing is for whoever the connection belongs to. What was let in is remembered by what
 * was shown, so that a password is checked once for a connection and not for each call.
 */
export class Logins {
  readonly #admission: Admission;
  readonly #peer: Peer;
  /** By the value of `authorization`; the oldest first. */
  readonly #known = new Map<string, Access | Promise<Access>>();
  #last: Access | undefined;

  constructor(admission: Admission, peer: Peer) {
    this.#admission = admission;
    this.#peer = peer;
  }

  /** The client that was last let in. */
  get identity(): Identity | undefined {
    return this.#last?.identity;
  }

  /** Whether calls that show this show nothing, and nor does their connection. */
  areNobodys(authorization = ''): boolean {
    return authorization === '' && this.#peer.certificate === undefined;
  }

  /**
   * What whoever shows this may do. There at once where it is known.
   *
   * @throws BrokerError `bad-credentials`, `not-authorized`; the promise rejects with the same.
   */
  of(authorization = ''): Access | Promise<Access> {
    const known = this.#known.get(authorization);
    if (known !== undefined) return known;
    const found = this.#admission.admit(this.#peer, credentialsIn(authorization));
    this.#remember(authorization, found);
    if (!(found instanceof Promise)) return this.#letIn(found);
    return found.then(
      (access) => {
        // It was checked; whoever comes next need not wait.
        if (this.#known.get(authorization) === found) this.#known.set(authorization, access);
        return this.#letIn(access);
      },
      (error) => {
        if (this.#known.get(authorization) === found) this.#known.delete(authorization);
        throw error;
      },
    );
  }

  #letIn(access: Access): Access {
    this.#last = access;
    return access;
  }

  #remember(authorization: string, found: Access | Promise<Access>): void {
    if (this.#known.size >= grpcLoginsPerConnection) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(authorization, found);
  }
}

/** @throws BrokerError `bad-credentials` where the words have no meaning; its own say nothing of them. */
function credentialsIn(authorization: string): Credentials {
  if (authorization === '') return NO_CREDENTIALS;
  const [, scheme, value] = /^([A-Za-z]+) +(\S+)$/.exec(authorization) ?? [];
  if (value !== undefined && /^bearer$/i.test(scheme!)) return { kind: 'token', token: value };
  if (value !== undefined && /^basic$/i.test(scheme!)) {
    const both = Buffer.from(value, 'base64');
    const colonAt = both.indexOf(':');
    if (colonAt >= 0) {
      const password = Uint8Array.from(both.subarray(colonAt + 1));
      return { kind: 'password', user: both.toString('utf8', 0, colonAt), password };
    }
  }
  throw new BrokerError('bad-credentials', 'authorization is neither Basic nor Bearer');
}
