import { describeClientQuotas } from '../../../protocol/kafka/apis/48-describe-client-quotas.ts';
import { findQuotas } from '../client-quotas.ts';
import { NO_ERROR } from '../errors.ts';
import { defineHandler } from '../handler.ts';

/** Lists those limits of users and clients that Kafka has as quotas. */
export const describeClientQuotasHandler = defineHandler(
  describeClientQuotas,
  ({ components, strict }, { parts }) => {
    const found = findQuotas(parts, components, strict);
    return 'errorCode' in found ? { ...found, entries: null } : { ...NO_ERROR, entries: found };
  },
  { first: { need: 'describe-configs broker', refused: (error) => ({ ...error, entries: null }) } },
);
