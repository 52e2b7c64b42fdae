import { deleteGroups } from '../../../protocol/kafka/apis/42-delete-groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Deletes groups without members, with what they committed. */
export const deleteGroupsHandler = defineHandler(deleteGroups, async (request, { parts }) => {
  const groupIds = [...new Set(request.groupsNames)];
  const outcomes = await Promise.all(groupIds.map((groupId) => parts.groups.delete(groupId)));
  return {
    results: groupIds.map((groupId, index) => ({ groupId, errorCode: KafkaErrorCode[outcomes[index]] })),
  };
});
