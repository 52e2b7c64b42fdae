import type { Channel } from '../../broker/delivery/channel.ts';
import type { Message } from '../../broker/delivery/publication.ts';
import type { Outlet } from '../../broker/sessions/outlet.ts';
import { frameEncoding } from './encoding.ts';

/** Sends messages to one client of the frames, which acknowledges nothing and takes all sizes. */
export class FrameOutlet implements Outlet {
  readonly channel: Channel;

  constructor(channel: Channel) {
    this.channel = channel;
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

  /** Only retained messages come one by one; those of runs go into the channel as they are. */
  send(message: Message): undefined {
    this.channel.enqueueUndroppable(frameEncoding.encode([message]));
  }

  tokenAfter(token: number): number {
    return token + 1;
  }

  confirm(): void {}
}
