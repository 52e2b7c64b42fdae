import { createAcls } from '../../../protocol/kafka/apis/30-create-acls.ts';
import { NO_ACLS } from '../acls.ts';
import { defineHandler } from '../handler.ts';

export const createAclsHandler = defineHandler(
  createAcls,
  ({ creations }) => ({
    results: creations.map(() => NO_ACLS),
  }),
  { needs: [] },
);
