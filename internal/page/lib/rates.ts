import type { DoorFacts, TopicFacts } from '../api/types.ts';

const COUNTED = ['messagesIn', 'messagesOut', 'bytesIn', 'bytesOut'] as const;

/** What went through each door per second, between two looks at its counters. A broker that began anew counts from 0. */
export function ratesBetween(
  before: readonly DoorFacts[],
  after: readonly DoorFacts[],
  elapsedMs: number,
): Map<string, DoorFacts> {
  const earlier = new Map(before.map((door) => [door.name, door]));
  return new Map(
    after.map((door) => {
      const rates = { ...door };
      for (const name of COUNTED) {
        const grown = door[name] - (earlier.get(door.name)?.[name] ?? 0);
        rates[name] = (1000 * Math.max(0, grown)) / Math.max(1, elapsedMs);
      }
      return [door.name, rates];
    }),
  );
}

/** Topics with the rate at which their logs have grown since they were looked at before; of one without a log that of its messages. */
export function withRates(
  before: readonly TopicFacts[],
  after: readonly TopicFacts[],
  elapsedMs: number,
): TopicFacts[] {
  const earlier = new Map(before.map(({ topic, log }) => [topic, log?.records]));
  return after.map((each) => {
    const records = earlier.get(each.topic);
    if (each.log === undefined) return { ...each, rate: each.perSecond };
    if (records === undefined) return each;
    return { ...each, rate: (1000 * Math.max(0, each.log.records - records)) / Math.max(1, elapsedMs) };
  });
}
