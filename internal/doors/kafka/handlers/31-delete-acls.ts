import { deleteAcls } from '../../../protocol/kafka/apis/31-delete-acls.ts';
import { NO_ACLS } from '../acls.ts';
import { defineHandler } from '../handler.ts';

export const deleteAclsHandler = defineHandler(
  deleteAcls,
  ({ filters }) => ({
    filterResults: filters.map(() => ({ ...NO_ACLS, matchingAcls: [] })),
  }),
  { needs: [] },
);
