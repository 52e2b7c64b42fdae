import type { Broker } from '../../broker/broker.ts';
import type { Source } from '../../broker/delivery/channel.ts';
import type { Origin } from '../../broker/delivery/origin.ts';
import { type Encoding, Publication } from '../../broker/delivery/publication.ts';
import type { TargetSet } from '../../broker/routing/targets.ts';

const NO_BYTES = new Uint8Array(0);

/** The run in hand: messages of one client with the same targets that lie one behind the other. */
export class Run {
  /** Messages that the client published so far, in runs and otherwise. */
  published = 0;
  readonly #encoding: Encoding;
  readonly #origin: Origin;
  /** What it is published as. Most clients publish nothing. */
  #publication: Publication | undefined;
  readonly #broker: Broker;
  readonly #source: Source;
  #bytes: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;
  #count = 0;
  #targets: TargetSet | undefined;

  constructor(broker: Broker, source: Source, encoding: Encoding, origin: Origin) {
    this.#broker = broker;
    this.#source = source;
    this.#encoding = encoding;
    this.#origin = origin;
  }

  /** Adds messages that lie between `start` and `end`, and publishes first what they do not go on from. */
  add(targets: TargetSet, bytes: Uint8Array, start: number, end: number, count: number): void {
    if (this.#targets !== targets || this.#bytes !== bytes || this.#end !== start) {
      this.publish();
      this.#targets = targets;
      this.#bytes = bytes;
      this.#start = start;
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
    this.#publication ??= new Publication(this.#encoding, this.#origin);
    const publication = this.#publication.set(this.#bytes, this.#start, this.#end, count);
    this.#broker.publish(publication, this.#targets!, this.#source);
    this.#targets = undefined;
    this.#bytes = NO_BYTES;
  }
}
