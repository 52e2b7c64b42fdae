import { array, defineApi, int16, int32, string, struct } from '../schema.ts';

/** Lists the groups of this broker. */
export const listGroups = defineApi({
  key: 16,
  name: 'ListGroups',
  validVersions: '0-5',
  flexibleFrom: 3,
  request: {
    statesFilter: array(string(), { versions: '4+' }),
    typesFilter: array(string(), { versions: '5+' }),
  },
  response: {
    throttleTimeMs: int32({ versions: '1+', default: 0 }),
    errorCode: int16(),
    groups: array(
      struct({
        groupId: string(),
        protocolType: string(),
        groupState: string({ versions: '4+' }),
        groupType: string({ versions: '5+' }),
      }),
    ),
  },
});
