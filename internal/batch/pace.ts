/** Tells long work when to stop for others, and when it may go on. */
export interface Pace {
  /** Whether the work in hand has had its time in this turn of the event loop. */
  readonly isOver: boolean;
  /** Resolves in a later turn, when it is this work's turn again. */
  turn(): Promise<void>;
}

/** Does all steps of a work at once. */
export function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Does the steps of a work one after the other, and gives way to others between them. */
export async function paced<T>(steps: Generator<void, T, void>, pace: Pace): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (pace.isOver) await pace.turn();
  }
}
