/**
 * Names of topics as SMQ's clients give them. The original took 1 to 35 of letters, digits and `_`; `-`, `.` and `/`
 * are ours: its own examples use `example-topic`.
 */

/** Whether a topic of this name may be created. */
export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9_./-]{1,35}$/.test(name) && !/^[./]{1,2}$/.test(name);
}

/** The log that a topic is: `a/b` is `a.b`. */
export function logNameOfTopic(name: string): string {
  return name.replaceAll('/', '.');
}
