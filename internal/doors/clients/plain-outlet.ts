import type { Channel } from '../../broker/delivery/channel.ts';
import { type Message, Publication } from '../../broker/delivery/publication.ts';
import type { Outlet, SentAs } from '../../broker/sessions/outlet.ts';

/** Sends messages to one client that acknowledges nothing and takes all sizes, so that runs go into its channel as they are. */
export class PlainOutlet implements Outlet {
  readonly channel: Channel;
  readonly #encodeRetained: (message: Message) => Uint8Array;

  /** @param encodeRetained how a message of the retained store stands in bytes; others are as the channel has them. */
  constructor(channel: Channel, encodeRetained: (message: Message) => Uint8Array) {
    this.channel = channel;
    this.#encodeRetained = encodeRetained;
  }

  get takesRuns(): boolean {
    return true;
  }

  get takesOneCopy(): boolean {
    return true;
  }

  get window(): number {
    return 0;
  }

  send(message: Message, { retain, isFromStore }: SentAs): undefined {
    if (isFromStore) this.channel.enqueueUndroppable(this.#encodeRetained(message));
    else this.channel.deliver(Publication.ofMessages([{ ...message, retain }]));
  }

  confirm(): void {}
}
