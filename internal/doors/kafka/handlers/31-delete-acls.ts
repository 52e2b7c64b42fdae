import { deleteAcls as deleteAclsApi } from '../../../protocol/kafka/apis/31-delete-acls.ts';
import { deleteAcls } from '../acls.ts';
import { defineHandler } from '../handler.ts';

/** Removes the rules of Kafka's kind that filters find, and tells which. */
export const deleteAclsHandler = defineHandler(
  deleteAclsApi,
  async ({ filters }, { parts }) => {
    const deleted = await deleteAcls(
      parts,
      filters.map((filter) => ({
        ...filter,
        resourceType: filter.resourceTypeFilter,
        resourceName: filter.resourceNameFilter,
        patternType: filter.patternTypeFilter,
        principal: filter.principalFilter,
        host: filter.hostFilter,
      })),
    );
    const filterResults = deleted.map(({ found, ...outcome }) => ({
      ...outcome,
      matchingAcls: found.map(({ binding, ...each }) => ({ ...binding, ...each })),
    }));
    return { filterResults };
  },
  {
    first: {
      need: 'alter broker',
      refused: (error, { filters }) => ({
        filterResults: filters.map(() => ({ ...error, matchingAcls: [] })),
      }),
    },
  },
);
