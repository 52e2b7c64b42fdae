import { coversFilter } from '../topic.ts';
import { allowAll, type Guard } from './guard.ts';

/**
 * The guard of a broker that refuses subscriptions to some filters, and to whatever is narrower, so that clients can be
 * tried against that. It keeps no messages from anybody: a wider filter is granted, and brings them.
 */
export function refusingFilters(filters: readonly string[]): Guard {
  return {
    ...allowAll,
    maySubscribe: (_who, filter) => {
      const refused = filters.find((one) => coversFilter(one, filter));
      return refused === undefined ? undefined : `this broker refuses '${refused}'`;
    },
  };
}
