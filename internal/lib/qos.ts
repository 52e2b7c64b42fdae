/** How often a message may arrive: 0 at most once, 1 at least once, 2 exactly once. */
export type Qos = 0 | 1 | 2;

export const QOS_LEVELS: readonly Qos[] = [0, 1, 2];

export function lesserQos(one: Qos, other: Qos): Qos {
  return one < other ? one : other;
}
