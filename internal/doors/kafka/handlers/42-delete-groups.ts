import { deleteGroups } from '../../../protocol/kafka/apis/42-delete-groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Deletes groups without members, with what they committed. */
export const deleteGroupsHandler = defineHandler(
  deleteGroups,
  async (request, { parts, access }) => {
    const groupIds = [...new Set(request.groupsNames)];
    const results = groupIds.map(async (groupId) => {
      const denial = access.groupRefusal('delete', groupId);
      const errorCode = denial?.errorCode ?? KafkaErrorCode[await parts.groups.delete(groupId)];
      return { groupId, errorCode };
    });
    return { results: await Promise.all(results) };
  },
  { needs: ['delete group'] },
);
