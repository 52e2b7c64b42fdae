import type { Refusal } from '../../access/authenticator.ts';
import type { Peer } from '../../access/identity.ts';

/** Which clients a fault is for: one by its id, or those that a function says. Default: all. */
export type WhichClients = string | ((clientId: string) => boolean);

/** How often a connection breaks off. */
export interface CutOptions {
  client?: WhichClients;
  /** How many times. Default: once. */
  times?: number;
}

/** Why a client is not let in: words that it is told, or with a code of docs/errors.md. Default: `not-authorized`. */
export type RefusedClient = string | Pick<Refusal, 'reason' | 'code'>;

interface Cut {
  isFor(clientId: string): boolean;
  readonly messages: number;
  timesLeft: number;
  /** Messages of each client since its last cut. */
  readonly taken: Map<string, number>;
}

interface Delay {
  isFor(clientId: string): boolean;
  readonly ms: number;
}

interface Loss {
  isFor(clientId: string): boolean;
  left: number;
}

/** What a running broker does with its clients for a fault. */
export interface FaultyBroker {
  /** Faults were added or taken away. */
  changed(): void;
  /** Breaks off the connections of some clients; returns how many. */
  cut(isFor: (clientId: string) => boolean): number;
}

/**
 * What goes wrong in a broker of a test, when the test says so:
 *
 *     const faults = new Faults();
 *     const broker = await startBroker({ listen: ['tcp://localhost:0'], faults });
 *     faults.loseAcknowledgements({ client: 'kitchen' });
 *
 * A fault begins with the call and lasts until it has happened as often as was said, or until {@link clear}. The faults of
 * acknowledgements and messages are those of live clients: frames and MQTT. A broker that starts again with the same
 * object has what is left.
 */
export class Faults {
  #refuse: (peer: Peer) => RefusedClient | undefined = () => undefined;
  #cuts: Cut[] = [];
  #delays: Delay[] = [];
  #losses: Loss[] = [];
  readonly #brokers = new Set<FaultyBroker>();

  /** Asks about every client that connects, by any door, before its credentials are looked at; undefined lets it go on. */
  refuseClients(decide: (peer: Peer) => RefusedClient | undefined): void {
    this.#refuse = decide;
  }

  /**
   * Breaks off the connection of a client right after the broker has taken so many messages from it, counted for each client
   * from now on and again from each cut. What the broker had to say to it by then, acknowledgements too, is lost.
   */
  cutAfter(messages: number, { client, times = 1 }: CutOptions = {}): void {
    checkCount(messages, 'messages');
    checkCount(times, 'times');
    this.#cuts.push({ isFor: matcherOf(client), messages, timesLeft: times, taken: new Map() });
    this.#changed();
  }

  /** Breaks off connections now, as a cable does that is pulled; returns how many there were. */
  cut(client?: WhichClients): number {
    let count = 0;
    for (const broker of this.#brokers) count += broker.cut(matcherOf(client));
    return count;
  }

  /** Acknowledgements of messages come so much later, by the broker's clock. */
  delayAcknowledgements(ms: number, { client }: Pick<CutOptions, 'client'> = {}): void {
    if (!(ms >= 0 && Number.isFinite(ms)))
      throw new RangeError(`a delay is a number of milliseconds, not ${ms}`);
    this.#delays.push({ isFor: matcherOf(client), ms });
  }

  /**
   * The broker takes a message and keeps it, and the connection breaks off in the place of its acknowledgement: on a
   * connection that lasts nothing is ever lost.
   */
  loseAcknowledgements({ client, times = 1 }: CutOptions = {}): void {
    checkCount(times, 'times');
    this.#losses.push({ isFor: matcherOf(client), left: times });
  }

  /** Ends all of them. */
  clear(): void {
    this.#refuse = () => undefined;
    this.#cuts = [];
    this.#delays = [];
    this.#losses = [];
    this.#changed();
  }

  /** @internal Returns what ends it. */
  attach(broker: FaultyBroker): () => void {
    this.#brokers.add(broker);
    return () => this.#brokers.delete(broker);
  }

  /** @internal */
  refusalOf(peer: Peer): Refusal | undefined {
    const refused = this.#refuse(peer);
    if (refused === undefined) return undefined;
    return typeof refused === 'string' ? { reason: refused, code: 'not-authorized' } : refused;
  }

  /** @internal Whether messages have to be counted one by one. */
  get hasCuts(): boolean {
    return this.#cuts.length > 0;
  }

  /** @internal Whether the connection breaks off with this message. */
  countMessage(clientId: string): boolean {
    let isCut = false;
    for (const cut of this.#cuts.filter(({ isFor }) => isFor(clientId))) {
      const taken = (cut.taken.get(clientId) ?? 0) + 1;
      if (taken >= cut.messages) {
        isCut = true;
        cut.timesLeft--;
      }
      cut.taken.set(clientId, taken >= cut.messages ? 0 : taken);
    }
    const left = this.#cuts.filter(({ timesLeft }) => timesLeft > 0);
    const isOver = left.length === 0 && this.#cuts.length > 0;
    this.#cuts = left;
    if (isOver) this.#changed();
    return isCut;
  }

  /** @internal How much later the acknowledgement of a message of this client comes. */
  delayMsOf(clientId: string): number {
    return this.#delays.filter(({ isFor }) => isFor(clientId)).reduce((sum, { ms }) => sum + ms, 0);
  }

  /** @internal Whether the acknowledgement of this message is lost. */
  losesNext(clientId: string): boolean {
    const loss = this.#losses.find(({ isFor }) => isFor(clientId));
    if (loss === undefined) return false;
    if (--loss.left === 0) this.#losses = this.#losses.filter((each) => each !== loss);
    return true;
  }

  #changed(): void {
    for (const broker of this.#brokers) broker.changed();
  }
}

function matcherOf(client: WhichClients = () => true): (clientId: string) => boolean {
  return typeof client === 'function' ? client : (clientId) => clientId === client;
}

function checkCount(count: number, name: string): void {
  if (!(count >= 1)) throw new RangeError(`${name} is at least 1, not ${count}`);
}
