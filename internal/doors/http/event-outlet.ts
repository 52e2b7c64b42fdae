import type { Channel } from '../../broker/delivery/channel.ts';
import type { Message } from '../../broker/delivery/publication.ts';
import type { Outlet, SentAs } from '../../broker/sessions/outlet.ts';
import { eventOf } from './event-encoding.ts';

/** Sends messages to one stream, which acknowledges nothing and takes all sizes. */
export class EventOutlet implements Outlet {
  readonly takesRuns = true;
  readonly takesOneCopy = true;
  readonly window = 0;
  readonly channel: Channel;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /** Only retained messages come one by one; those of runs go into the channel as they are. */
  send(message: Message, { retain }: SentAs): undefined {
    this.channel.enqueueUndroppable(Buffer.from(eventOf({ ...message, retain })));
  }

  tokenAfter(token: number): number {
    return token + 1;
  }

  confirm(): void {}
}
