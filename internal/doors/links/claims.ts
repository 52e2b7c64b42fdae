import type { Broker } from '../../broker/broker.ts';
import type { Client } from '../../broker/client.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { inPieces } from './own-interest.ts';
import type { Claim, ClaimsPacket } from './packets.ts';

export interface ClaimsParts {
  readonly broker: Broker;
  readonly sessions: Pick<Sessions, 'clientIsElsewhere'>;
  /** The number of this node. */
  readonly self: number;
  /** Tells a node, or all of them, what it hears of by {@link ClientClaims.take}. */
  send(packet: ClaimsPacket, node?: number): void;
  /** Tells a node that a client there may not have the id. */
  refuse(claim: Claim, node: number): void;
}

/**
 * One connection for each client id in all nodes. Each node tells the others who connected, with a number that is larger than
 * every one it heard of: where two nodes have a client of the same id, the one with the larger number stays, and for equal
 * ones that of the node with the larger number. A version shows whoever missed something, who then asks for all.
 */
export class ClientClaims {
  readonly #parts: ClaimsParts;
  readonly #numbers = new WeakMap<Client, number>();
  readonly #endListening: () => void;
  #untold: Client[] = [];
  #last = 0;
  version = 0;

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
    const { broker } = parts;
    for (const client of broker.clients()) this.#number(client);
    this.#endListening = broker.onConnected((client) => this.#connected(client));
  }

  close(): void {
    this.#endListening();
  }

  /** Tells a node all clients that are here. */
  tellAll(node: number): void {
    const claims = Array.from(this.#parts.broker.clients(), (client) => this.#claimOf(client));
    for (const piece of inPieces(claims, idOf)) this.#parts.send({ claims: piece }, node);
    this.#parts.send({ claims: [], version: this.version }, node);
  }

  /** Another node has these clients. */
  take(claims: readonly Claim[], from: number): void {
    for (const claim of claims) this.#take(claim, from);
  }

  /** Another node does not let a client of this one have its id. */
  takeRefusal({ clientId, number }: Claim): void {
    const { broker } = this.#parts;
    const client = broker.clientOf(clientId);
    if (client === undefined || this.#numbers.get(client) !== number) return;
    const reason = `client id ${quoted(clientId)} belongs to another user, who is connected to another node`;
    broker.endClient(clientId, new BrokerError('not-authorized', reason));
  }

  #connected(client: Client): void {
    this.#number(client);
    if (this.#untold.length === 0) setImmediate(() => this.#tell());
    this.#untold.push(client);
  }

  #number(client: Client): void {
    this.#last = Math.max(this.#last + 1, this.#parts.broker.clock.now());
    this.#numbers.set(client, this.#last);
  }

  #tell(): void {
    const clients = this.#untold;
    this.#untold = [];
    const all = clients.map((client) => this.#claimOf(client));
    for (const claims of inPieces(all, idOf)) {
      const since = this.version++;
      this.#parts.send({ claims, since, version: this.version });
    }
  }

  #claimOf(client: Client): Claim {
    const { clientId, user } = client.identity;
    return { clientId, user, number: this.#numbers.get(client)! };
  }

  #take(claim: Claim, from: number): void {
    const { broker, sessions, self } = this.#parts;
    const { clientId, number, user } = claim;
    this.#last = Math.max(this.#last, number);
    const client = broker.clientOf(clientId);
    if (client === undefined) {
      sessions.clientIsElsewhere(clientId);
      return;
    }
    const own = this.#claimOf(client);
    if (number < own.number || (number === own.number && from < self)) {
      // It may not have heard of that one.
      this.#parts.send({ claims: [own] }, from);
      return;
    }
    if (own.user !== undefined && own.user !== user) {
      this.#parts.refuse(claim, from);
      return;
    }
    broker.endClient(
      clientId,
      new BrokerError('taken-over', `client ${quoted(clientId)} connected to another node`),
    );
    sessions.clientIsElsewhere(clientId);
  }
}

const idOf = ({ clientId, user = '' }: Claim) => clientId + user;
