import type { Broker } from '../../broker/broker.ts';
import type { Source } from '../../broker/delivery/channel.ts';
import type { Origin } from '../../broker/delivery/origin.ts';
import { type Encoding, type Numbered, Publication } from '../../broker/delivery/publication.ts';
import type { Receipt } from '../../broker/delivery/receipt.ts';
import type { TargetSet } from '../../broker/routing/targets.ts';

const NO_BYTES = new Uint8Array(0);

/** Who answers the client for runs that it publishes with a promise. */
export interface RunPromise {
  readonly qos: 1 | 2;
  /** The numbers of the next run, where the client gives them some across connections. */
  readonly numbered?: Numbered | undefined;
  /** The receipt of the next run: one that nobody ever held, so that it may be that of the last run. */
  unusedReceipt(): Receipt;
  /** A run was published, and whoever keeps a part of it holds the receipt. */
  published(count: number, receipt: Receipt): void;
}

/** The run in hand: messages of one client with the same targets that lie one behind the other. */
export class Run {
  /** Messages that the client published so far, in runs and otherwise. */
  published = 0;
  readonly #encoding: Encoding;
  readonly #promisedEncoding: Encoding;
  readonly #origin: Origin;
  /** What it is published as. Most clients publish nothing. */
  #publication: Publication | undefined;
  /** The same for runs with a promise, as long as nobody holds its receipt. */
  #promised: Publication | undefined;
  readonly #broker: Broker;
  readonly #source: Source;
  #bytes: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;
  #count = 0;
  #targets: TargetSet | undefined;
  #promise: RunPromise | undefined;

  /** @param promisedEncoding that of runs with a promise, where it is another one. */
  constructor(
    broker: Broker,
    source: Source,
    encoding: Encoding,
    origin: Origin,
    promisedEncoding = encoding,
  ) {
    this.#broker = broker;
    this.#source = source;
    this.#encoding = encoding;
    this.#origin = origin;
    this.#promisedEncoding = promisedEncoding;
  }

  /**
   * Adds messages that lie between `start` and `end`, and publishes first what they do not go on from.
   *
   * @param promise who answers the client for them; undefined: nobody.
   */
  add(
    targets: TargetSet,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    promise?: RunPromise,
  ): void {
    if (
      this.#targets !== targets ||
      this.#bytes !== bytes ||
      this.#end !== start ||
      this.#promise !== promise
    ) {
      this.publish();
      this.#targets = targets;
      this.#bytes = bytes;
      this.#start = start;
      this.#promise = promise;
    }
    this.#end = end;
    this.#count += count;
    // Each message goes to another member of a group.
    if (targets.groups.length > 0) this.publish();
  }

  publish(): void {
    if (this.#count === 0) return;
    const count = this.#count;
    this.#count = 0;
    this.published += count;
    if (this.#promise === undefined) {
      this.#publication ??= new Publication(this.#encoding, this.#origin);
      this.#send(this.#publication, count);
    } else {
      this.#publishPromised(this.#promise, count);
    }
    this.#targets = undefined;
    this.#bytes = NO_BYTES;
  }

  #publishPromised(promise: RunPromise, count: number): void {
    const receipt = promise.unusedReceipt();
    if (this.#promised?.receipt !== receipt) {
      this.#promised = new Publication(this.#promisedEncoding, this.#origin, {
        qos: promise.qos,
        receipt,
        numbered: promise.numbered,
      });
    }
    this.#send(this.#promised, count);
    promise.published(count, receipt);
  }

  #send(publication: Publication, count: number): void {
    publication.set(this.#bytes, this.#start, this.#end, count);
    this.#broker.publish(publication, this.#targets!, this.#source);
  }
}
