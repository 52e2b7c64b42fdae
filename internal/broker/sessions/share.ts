import { lesserQos } from '../../lib/qos.ts';
import type { Channel, Source } from '../delivery/channel.ts';
import type { Publication, Qos } from '../delivery/publication.ts';
import type { Member } from '../routing/targets.ts';
import type { Subscription } from './subscription.ts';

/** The session that has shares. */
export interface ShareOwner extends Member {
  readonly clientId: string;
  mayGet(topic: string): boolean;
  wouldDrop(qos: Qos): boolean;
  deliverShare(publication: Publication, subscription: Subscription): void;
}

/** A session's share of `$share/GROUP/FILTER`, which has its own options. */
export class Share implements Member {
  subscription: Subscription;
  readonly #session: ShareOwner;

  constructor(session: ShareOwner, subscription: Subscription) {
    this.#session = session;
    this.subscription = subscription;
  }

  get clientId(): string {
    return this.#session.clientId;
  }

  filters(): Iterable<string> {
    return [this.subscription.filter];
  }

  get isFull(): boolean {
    return this.#session.isFull;
  }

  get isSlow(): boolean {
    return this.#session.isSlow === true;
  }

  get onceBy(): Channel | undefined {
    return this.#session.onceBy;
  }

  wouldDrop(qos: Qos): boolean {
    return this.#session.wouldDrop(lesserQos(qos, this.subscription.qos));
  }

  mayGet(topic: string): boolean {
    return this.#session.mayGet(topic);
  }

  holdBack(feeder: Source, publication: Publication): void {
    this.#session.holdBack(feeder, publication);
  }

  deliver(publication: Publication): void {
    this.#session.deliverShare(publication, this.subscription);
  }
}
