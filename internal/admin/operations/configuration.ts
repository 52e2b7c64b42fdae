import { THE_BROKER } from '../../access/policy.ts';
import { type BrokerParts, defineOperation, flag, listOf, objectOf, text, texts } from '../operation.ts';

export const showConfiguration = defineOperation({
  ...{
    name: 'config show',
    summary: 'Shows what the broker was told at its start, and where each value comes from.',
  },
  ...{ method: 'GET', path: '/config', needs: { action: 'admin', resource: THE_BROKER } },
  answer: objectOf({
    settings: {
      ...listOf(
        objectOf({
          ...{ name: text, flag: text },
          value: { anyOf: [text, texts, { type: 'null' }], description: 'Secrets in addresses are hidden.' },
          from: { type: 'string', enum: ['flag', 'environment', 'file', 'default'] },
          at: {
            ...text,
            description: 'The flag, the variable, or file, line and column; empty for a default.',
          },
          isLive: { ...flag, description: 'Whether it changes on SIGHUP, without a new start.' },
        }),
      ),
      description: 'Empty for a broker in an app.',
    },
  }),
  async run({ settings }: BrokerParts, _input: object) {
    return { settings: settings() };
  },
});
