import { Writable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { Output } from './output.ts';

/** A reader that takes a chunk only when told to. */
class Reader extends Writable {
  readonly chunks: string[] = [];
  #take: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 10 });
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.chunks.push(chunk.toString('latin1'));
    this.#take = callback;
  }

  take(): void {
    const take = this.#take;
    this.#take = undefined;
    take?.();
  }
}

describe('the output', () => {
  it('writes once a turn', async () => {
    const reader = new Reader();
    const output = new Output(reader);
    output.write('a');
    output.write(Uint8Array.of(0xff));
    output.write('b');
    expect(reader.chunks).toEqual([]);
    await new Promise(setImmediate);
    expect(reader.chunks).toEqual(['a\xffb']);
  });

  it('writes at once what is much', () => {
    const reader = new Reader();
    const output = new Output(reader);
    output.write('x'.repeat(64 * 1024));
    expect(reader.chunks.length).toBe(1);
  });

  it('says when the reader cannot keep up, and when it has caught up', async () => {
    const reader = new Reader();
    const pause = vi.fn();
    const resume = vi.fn();
    const output = new Output(reader, pause, resume);
    expect(output.room).toBeUndefined();
    output.write('more than ten');
    output.flush();
    output.write('and more');
    output.flush();
    expect(pause).toHaveBeenCalledOnce();
    const { room } = output;
    expect(room).toBeInstanceOf(Promise);
    reader.take();
    reader.take();
    await room;
    expect(resume).toHaveBeenCalledOnce();
    expect(output.room).toBeUndefined();
  });

  it('lets any number wait for room', async () => {
    const reader = new Reader();
    const output = new Output(reader);
    output.write('more than ten');
    output.flush();
    const rooms = Array.from({ length: 100 }, () => output.room);
    expect(reader.listenerCount('drain')).toBe(1);
    reader.take();
    reader.take();
    await Promise.all(rooms);
    expect(output.room).toBeUndefined();
  });

  it('ends when everything has been taken', async () => {
    const reader = new Reader();
    const output = new Output(reader);
    output.write('last');
    const end = output.end();
    let hasEnded = false;
    void end.then(() => {
      hasEnded = true;
    });
    await new Promise(setImmediate);
    expect(hasEnded).toBe(false);
    reader.take();
    await new Promise(setImmediate);
    reader.take();
    await end;
    expect(reader.chunks[0]).toBe('last');
  });
});
