/** How many times longer than usual the tests run that kill, crash and model stores: `make torture TORTURE=10`. */
const TORTURE = Number(process.env.TORTURE ?? 1);
if (!Number.isInteger(TORTURE) || TORTURE < 1) throw new Error('TORTURE is a whole number above 0');

/** Rounds of a test of which there are `short` in `make test`, and for each time longer so many more. */
export function rounds(short: number, more = short): number {
  return TORTURE === 1 ? short : more * TORTURE;
}

/** The time for a test with {@link rounds}. */
export function torturePatienceMs(shortMs: number): number {
  return shortMs * TORTURE;
}

/** How long a test waits for one thing that must come: a long run has other work of the machine beside it. */
export function patienceMs(shortMs: number): number {
  return TORTURE === 1 ? shortMs : 10 * shortMs;
}
