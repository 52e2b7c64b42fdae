import { grpcSmallUnsentBytes, grpcUnsentBytes, grpcUnsentPatienceMs } from '../../limits/grpc.ts';

/** A call whose client may be slow to take its responses. */
export interface Sender {
  /** Its client takes nothing, and others wait for the room: it has to go. */
  evict(): void;
}

/**
 * The responses that clients have not taken yet. Where they are too much, who wants to read more from the logs waits;
 * and so that nobody waits for ever, those whose clients take nothing are ended.
 */
export class Unsent {
  readonly #senders = new Map<Sender, { bytes: number; sinceMs: number }>();
  #bytes = 0;
  #waiting: (() => void)[] = [];
  #sweep: NodeJS.Timeout | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  /** Something goes out to a client. */
  hold(sender: Sender, bytes: number): void {
    this.#bytes += bytes;
    const held = this.#senders.get(sender);
    if (held === undefined) this.#senders.set(sender, { bytes, sinceMs: performance.now() });
    else held.bytes += bytes;
  }

  /** The client took it. */
  release(sender: Sender, bytes: number): void {
    const held = this.#senders.get(sender);
    if (held === undefined) return;
    this.#bytes -= bytes;
    held.bytes -= bytes;
    held.sinceMs = performance.now();
    if (held.bytes <= 0) this.#senders.delete(sender);
    this.#wake();
  }

  /** The call is gone, with what it had. */
  forget(sender: Sender): void {
    const held = this.#senders.get(sender);
    if (held === undefined) return;
    this.#senders.delete(sender);
    this.#bytes -= held.bytes;
    this.#wake();
  }

  /** Resolves when there is room; undefined where there is at once. */
  room(): Promise<void> | undefined {
    if (this.#bytes < grpcUnsentBytes) return undefined;
    this.#sweep ??= setInterval(() => this.evictStalled(), SWEEP_MS).unref();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends calls whose clients took nothing for long. */
  evictStalled(): void {
    const since = performance.now() - grpcUnsentPatienceMs;
    for (const [sender, { bytes, sinceMs }] of [...this.#senders]) {
      if (bytes > grpcSmallUnsentBytes && sinceMs < since) sender.evict();
    }
  }

  #wake(): void {
    if (this.#waiting.length === 0 || this.#bytes >= grpcUnsentBytes) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    for (const resolve of waiting) resolve();
  }
}

const SWEEP_MS = 500;
