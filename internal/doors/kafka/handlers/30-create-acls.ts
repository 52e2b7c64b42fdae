import { createAcls as createAclsApi } from '../../../protocol/kafka/apis/30-create-acls.ts';
import { createAcls } from '../acls.ts';
import { defineHandler } from '../handler.ts';

/** Makes rules, which hold on every door. */
export const createAclsHandler = defineHandler(
  createAclsApi,
  async ({ creations }, { parts }) => ({
    results: await createAcls(
      parts,
      creations.map(({ resourcePatternType, ...binding }) => ({
        ...binding,
        patternType: resourcePatternType,
      })),
    ),
  }),
  {
    first: {
      need: 'alter broker',
      refused: (error, { creations }) => ({ results: creations.map(() => error) }),
    },
  },
);
