import type { Caller } from '../operation.ts';

/** Whether somebody may know of a topic: by a rule that says so, or because it may have its messages. */
export function maySee(caller: Caller, topic: string): boolean {
  return caller.may('describe', 'topic', topic) || caller.may('subscribe', 'topic', topic);
}
