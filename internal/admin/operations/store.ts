import { resolve } from 'node:path';
import { THE_BROKER } from '../../access/policy.ts';
import { BrokerError } from '../../errors.ts';
import { type BrokerParts, defineOperation, flag, listOf, objectOf, text } from '../operation.ts';

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
    directories: { ...listOf(text), description: 'The directories of logs; each has such a folder.' },
  }),
  async run({ takeSnapshot: take }: BrokerParts, { withValues = false }: SnapshotInput) {
    if (take === undefined) throw new BrokerError('no-such-object', 'this broker has no logs in files');
    const { name, directories } = await take(withValues);
    return { name, directories: directories.map((directory) => resolve(directory)) };
  },
});
