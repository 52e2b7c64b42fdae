import { alterClientQuotas } from '../../../protocol/kafka/apis/49-alter-client-quotas.ts';
import { alterQuotas } from '../client-quotas.ts';
import { defineHandler } from '../handler.ts';

/** Sets limits of users and clients, which hold on every door. */
export const alterClientQuotasHandler = defineHandler(
  alterClientQuotas,
  async (request, { parts }) => {
    const entries = request.entries.map(async ({ entity, ops }) => ({
      ...(await alterQuotas(parts, entity, ops, request.validateOnly)),
      entity,
    }));
    return { entries: await Promise.all(entries) };
  },
  {
    first: {
      need: 'alter-configs broker',
      refused: (error, request) => ({ entries: request.entries.map(({ entity }) => ({ ...error, entity })) }),
    },
  },
);
