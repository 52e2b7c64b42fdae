import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How much of the heap's room is used up before marking begins, in percent. */
const MARK_FROM_PERCENT = 80;

/**
 * Has V8 look for garbage less often.
 *
 * It counts what sockets bring against the room that its heap has left, and by default begins to mark when that is less
 * than the young generation may take. A broker's heap is so small that this is nearly always so: it marked ten
 * megabytes of live objects for every ten that arrived, which was a quarter of its CPU time while it was written to at
 * full speed. Now it marks a quarter as often; a large heap notices nothing.
 */
export function collectLessOften(): void {
  setFlagsFromString(`--incremental-marking-soft-trigger=${MARK_FROM_PERCENT}`);
}

let collect: NodeJS.GCFunction | undefined;

/**
 * Collects what is young and dead: buffers of what was read, above all. Only contexts that are made while V8 is told so have a function
 * for that.
 */
export function collectYoung(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as NodeJS.GCFunction;
    setFlagsFromString('--no-expose-gc');
  }
  collect({ type: 'minor', execution: 'sync' });
}
