import { THE_BROKER } from '../../access/policy.ts';
import { BrokerError } from '../../errors.ts';
import { type BrokerParts, defineOperation, flag, objectOf, text } from '../operation.ts';

interface SnapshotInput {
  readonly withValues?: boolean;
}

export const takeSnapshot = defineOperation({
  ...{
    name: 'store snapshot',
    summary:
      'Makes a copy of the logs as they are now, in their folder, for a program that can read it there.',
  },
  ...{ method: 'POST', path: '/store/snapshot', needs: { action: 'admin', resource: THE_BROKER } },
  body: objectOf(
    {
      withValues: {
        ...flag,
        description: 'With a copy of all that is no log, in the file tinymq.db of the same folder.',
      },
    },
    [],
  ),
  answer: objectOf({
    name: {
      ...text,
      description:
        'Of the folder, which whoever asked removes; it takes the room of what is deleted while it is there.',
    },
  }),
  async run({ takeSnapshot: take }: BrokerParts, { withValues = false }: SnapshotInput) {
    if (take === undefined) throw new BrokerError('no-such-object', 'this broker has no logs in files');
    return { name: await take(withValues) };
  },
});
