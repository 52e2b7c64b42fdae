import { listGroups } from '../../../protocol/kafka/apis/16-list-groups.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';

/** Lists the groups that this node coordinates, filtered by their state and type regardless of case. */
export const listGroupsHandler = defineHandler(
  listGroups,
  (request, { parts, access }) => {
    const states = new Set(request.statesFilter.map((state) => state.trim().toLowerCase()));
    const types = new Set(request.typesFilter.map((type) => type.toLowerCase()));
    const groups = types.size === 0 || types.has(GROUP_TYPE) ? parts.groups.list() : [];
    if (parts.groups.absence === 'coordinatorLoadInProgress') {
      return { errorCode: KafkaErrorCode.coordinatorLoadInProgress, groups: [] };
    }
    // As in Kafka, a client that may describe the broker sees all groups.
    const seesAll = access.mayBroker('describe');
    return {
      errorCode: KafkaErrorCode.none,
      groups: groups
        .filter(({ groupId }) => seesAll || access.mayGroup('describe', groupId))
        .filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
        .map(({ groupId, protocolType, state }) => ({
          groupId,
          protocolType,
          groupState: state,
          groupType: GROUP_TYPE,
        })),
    };
  },
  { needs: ['describe broker', 'describe group'] },
);

/** The one kind of group that there is here. */
const GROUP_TYPE = 'classic';
