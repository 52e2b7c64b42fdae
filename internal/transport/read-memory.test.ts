import { expect, it, vi } from 'vitest';
import { ReadMemory } from './read-memory.ts';

it('has buffers given back each time that so much was read, and nothing where nobody does that', () => {
  const memory = new ReadMemory();
  memory.read(2_000);
  const free = vi.fn();
  memory.freeBy(free, 1_000);
  for (const [bytes, calls] of [
    [999, 0],
    [1, 1],
    [999, 1],
    [1_000, 2],
    [1, 2],
  ] as const) {
    memory.read(bytes);
    expect(free).toHaveBeenCalledTimes(calls);
  }
});
