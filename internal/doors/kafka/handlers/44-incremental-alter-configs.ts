import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/44-incremental-alter-configs.ts';
import { alterEach, applyOperation, changeConfigs, Operation } from '../configs/alter-configs.ts';
import { defineHandler } from '../handler.ts';

/** Changes those configs of a topic that are named. */
export const incrementalAlterConfigsHandler = defineHandler(
  incrementalAlterConfigs,
  async (request, context) => {
    const { parts } = context;
    const responses = await alterEach(request.resources, context, {
      topic: ({ resourceName, configs }) =>
        changeConfigs(resourceName, request.validateOnly, parts, (before) => {
          const changed = { ...before };
          for (const operation of configs) {
            const problem = applyOperation(changed, operation, parts);
            if (problem !== undefined) return problem;
          }
          return changed;
        }),
      sets: ({ configs }) => configs.some(({ configOperation }) => configOperation !== Operation.delete),
    });
    return { responses };
  },
  { needs: ['alter-configs topic', 'alter-configs broker'] },
);
