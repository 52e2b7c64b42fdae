import { systemClock } from '../../internal/lib/clock.ts';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import { type Frame, MAX_PAYLOAD_BYTES } from '../../internal/protocol/frame/frame.ts';
import type { Connection, ConnectionHandler } from '../../internal/transport/connection.ts';

/** A connection without a socket: a test puts bytes in and looks at the frames that come out. */
export class FakeConnection implements Connection {
  readonly remote = 'test';
  readonly listener = 'tcp://test';
  readonly clock = systemClock;
  openedAt = systemClock.elapsedMs();
  readonly receivedBytes = 0;
  readonly sentBytes = 0;
  readonly certificate = undefined;
  readonly dialled = { host: 'test', port: 9092 };
  handler: ConnectionHandler = { bytes() {}, drained() {}, ended() {}, closed() {} };
  /** Whether `write` says to wait. */
  isFull = false;
  isWritten = true;
  isEnded = false;
  isDestroyed = false;
  pauses = 0;
  readonly written: Uint8Array[] = [];
  readonly #decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);

  write(buffers: readonly Uint8Array[]): boolean {
    if (this.isEnded) throw new Error('written after the end');
    this.written.push(...buffers);
    return !this.isFull;
  }

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }

  end(last?: Uint8Array): void {
    if (this.isEnded) return;
    if (last !== undefined) this.written.push(last);
    this.isEnded = true;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  /** The frames that were written since the last call, after this turn has ended. */
  async frames(): Promise<Frame[]> {
    await new Promise((resolve) => setImmediate(resolve));
    const bytes = Buffer.concat(this.written);
    this.written.length = 0;
    return this.#decoder.frames(bytes);
  }
}

/** A frame as a short text: `2 sensors/temp 22.5 kitchen`. */
export function shown({ type, topic, payload, clientId }: Frame): string {
  return [type, topic, Buffer.from(payload).toString(), clientId].join(' ');
}
