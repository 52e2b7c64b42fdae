import type { Authenticator } from '../../access/authenticator.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Publication } from '../../broker/delivery/publication.ts';
import type { Receipt } from '../../broker/delivery/receipt.ts';
import type { Member } from '../../broker/routing/targets.ts';
import type { ClockTimer } from '../../lib/clock.ts';
import type { Connections } from '../../observe/connections.ts';
import type { Faults, FaultyBroker } from './faults.ts';

/** A member of a group gets messages one by one, also those that came together: so a cut is exact. */
const ONE_BY_ONE = '$share/faults/#';

/** Where a broker lets happen what {@link Faults} say. */
export class FaultPoints implements FaultyBroker {
  readonly #faults: Faults;
  readonly #broker: Broker;
  readonly #connections: Connections;
  readonly #detach: () => void;
  readonly #delayed = new Map<Receipt, ClockTimer>();
  #isCounting = false;

  constructor(faults: Faults, broker: Broker, connections: Connections) {
    this.#faults = faults;
    this.#broker = broker;
    this.#connections = connections;
    this.#detach = faults.attach(this);
    this.changed();
  }

  changed(): void {
    const { hasCuts } = this.#faults;
    if (hasCuts === this.#isCounting) return;
    this.#isCounting = hasCuts;
    if (hasCuts) this.#broker.attach(ONE_BY_ONE, this.#counter);
    else this.#broker.detach(ONE_BY_ONE, this.#counter);
  }

  cut(isFor: (clientId: string) => boolean): number {
    const found = [...this.#connections].filter((each) => isFor(each.facts().clientId));
    for (const connection of found) connection.cut?.();
    return found.length;
  }

  /** A client publishes; nobody has taken it yet. */
  published({ origin, receipt }: Publication): void {
    if (origin.kind !== 'client' || receipt === undefined) return;
    const { clientId } = origin;
    const delayMs = this.#faults.delayMsOf(clientId);
    if (delayMs > 0) this.#delay(receipt, delayMs);
    if (this.#faults.losesNext(clientId)) this.#lose(receipt, clientId);
  }

  /** Acknowledgements that wait for their time come now. */
  close(): void {
    this.#detach();
    for (const [receipt, timer] of this.#delayed) {
      timer.cancel();
      receipt.letGo();
    }
    this.#delayed.clear();
  }

  readonly #counter: Member = {
    isFull: false,
    isOfNode: true,
    holdBack() {},
    deliver: ({ origin }) => {
      if (origin.kind !== 'client' || !this.#faults.countMessage(origin.clientId)) return;
      this.cut((clientId) => clientId === origin.clientId);
    },
  };

  #delay(receipt: Receipt, ms: number): void {
    receipt.hold();
    const timer = this.#broker.clock.after(ms, () => {
      this.#delayed.delete(receipt);
      receipt.letGo();
    });
    this.#delayed.set(receipt, timer);
  }

  /** Whoever asks first is told first: before the door that would answer. */
  #lose(receipt: Receipt, clientId: string): void {
    receipt.hold();
    receipt.whenSettled(() => this.cut((each) => each === clientId));
    afterTurn(() => receipt.letGo());
  }
}

/** The runtime's own: a test may put fake timers in its place. */
const afterTurn = globalThis.setImmediate;

/** An authenticator before which faults refuse clients. */
export function refusingClients(authenticator: Authenticator, faults: Faults): Authenticator {
  return {
    authenticate: (peer, credentials) =>
      faults.refusalOf(peer) ?? authenticator.authenticate(peer, credentials),
    get mechanisms() {
      return authenticator.mechanisms;
    },
    beginExchange: (peer, mechanism) =>
      faults.refusalOf(peer) ?? authenticator.beginExchange?.(peer, mechanism),
  };
}
