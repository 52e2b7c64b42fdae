import { ConnectionLostError, TimeoutError } from './errors.ts';
import type { Wire } from './wire.ts';

/** How long a client that has sent everything waits for the broker to close too. */
const CLOSE_TIMEOUT_MS = 2_000;

/** A connection that is to end, and what is still to be sent over it. */
export interface Leaving {
  wire: Wire;
  /** The broker's address, for errors. */
  url: string;
  /** How long the broker may take nothing, in milliseconds; as long as it goes on taking, it has all the time. */
  timeoutMs: number;
  /** Bytes that the wire has not been given yet. */
  unsentBytes(): number;
  /** Gives the wire what it takes now. */
  flush(): void;
}

/**
 * Sends what is left, closes, and waits until the broker has closed too.
 *
 * @throws TimeoutError, ConnectionLostError where not everything was sent.
 */
export function sayGoodbye({ wire, url, timeoutMs, unsentBytes, flush }: Leaving): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = watch();
    const { handler } = wire;
    wire.handler = { ...handler, drained, closed };
    flush();
    endWhenSent();

    function drained(): void {
      handler.drained();
      endWhenSent();
    }

    function endWhenSent(): void {
      if (unsentBytes() === 0) wire.end();
    }

    function closed(error?: Error): void {
      clearInterval(timer);
      handler.closed(error);
      if (unsentBytes() === 0) resolve();
      else reject(new ConnectionLostError(url, 'not everything was sent', error));
    }

    function watch(): ReturnType<typeof setTimeout> {
      const everyMs = Math.min(CLOSE_TIMEOUT_MS, timeoutMs);
      let idleMs = 0;
      let lastBytes = unsentBytes() + wire.pendingBytes;
      return setInterval(() => {
        const bytes = unsentBytes() + wire.pendingBytes;
        idleMs = bytes < lastBytes ? 0 : idleMs + everyMs;
        lastBytes = bytes;
        if (idleMs < (bytes === 0 ? CLOSE_TIMEOUT_MS : timeoutMs)) return;
        if (bytes > 0) reject(new TimeoutError('the broker did not take all messages', timeoutMs));
        wire.destroy();
      }, everyMs);
    }
  });
}
