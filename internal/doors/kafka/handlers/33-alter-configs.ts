import { alterConfigs } from '../../../protocol/kafka/apis/33-alter-configs.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { alterEach, changeConfigs } from '../configs/alter-configs.ts';
import { nullConfigError } from '../configs/configs.ts';
import { defineHandler } from '../handler.ts';

/** Sets all configs of a topic: those that are not named go back to their defaults. */
export const alterConfigsHandler = defineHandler(
  alterConfigs,
  async (request, context) => {
    const { parts } = context;
    const responses = await alterEach(request.resources, context, {
      topic: ({ resourceName, configs }) =>
        changeConfigs(resourceName, request.validateOnly, parts, () => {
          const problem = nullConfigError(configs, KafkaErrorCode.invalidRequest);
          return problem ?? Object.fromEntries(configs.map(({ name, value }) => [name, value!]));
        }),
      sets: ({ configs }) => configs.length > 0,
    });
    return { responses };
  },
  { needs: ['alter-configs topic', 'alter-configs broker'] },
);
