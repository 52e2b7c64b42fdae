import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { devNull } from 'node:os';

/** So few descriptors below the limit the watch begins; files that are opened meanwhile take some of them. */
const RESERVE = 16;
const LOOK_EVERY_MS = 500;

/** What a {@link DescriptorWatch} tells. */
export interface DescriptorEvents {
  /** There are none left: the system closes whoever connects, and the runtime tells nobody. */
  exhausted(): void;
  /** There are some again. */
  recovered(): void;
}

/**
 * Notices that this process has no descriptors left. A new socket gets the lowest number that is free, so it costs one
 * comparison for each connection until the limit is near.
 */
export class DescriptorWatch {
  readonly #from: number;
  readonly #events: DescriptorEvents;
  #isExhausted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(limit: number, events: DescriptorEvents) {
    this.#from = limit - RESERVE;
    this.#events = events;
  }

  accepted(socket: Socket): void {
    const descriptor = (socket as { _handle?: { fd?: number } })._handle?.fd;
    if (descriptor === undefined || descriptor < this.#from) return;
    this.#look();
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const free = lowestFree();
    if ((free === undefined) !== this.#isExhausted) {
      this.#isExhausted = free === undefined;
      if (this.#isExhausted) this.#events.exhausted();
      else this.#events.recovered();
    }
    if (free === undefined || free >= this.#from) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The next descriptor that a connection would get; undefined where there is none. */
function lowestFree(): number | undefined {
  try {
    const descriptor = openSync(devNull, 'r');
    closeSync(descriptor);
    return descriptor;
  } catch {
    return undefined;
  }
}
